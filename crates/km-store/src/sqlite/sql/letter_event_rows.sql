SELECT id, tenant, write_id, what
FROM letter_events
WHERE id > ?1
ORDER BY id
LIMIT ?2
