SELECT position, tenant, write_id, content_hash
FROM ledger
WHERE position > ?1 AND state = 'applied'
ORDER BY position
LIMIT ?2
