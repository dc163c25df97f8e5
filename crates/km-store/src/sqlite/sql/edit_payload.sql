UPDATE ledger
SET payload = ?3, content_hash = ?4
WHERE tenant = ?1 AND write_id = ?2 AND state IN ('pending', 'parked')
