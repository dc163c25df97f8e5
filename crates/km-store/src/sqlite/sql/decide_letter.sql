UPDATE ledger
SET state = ?3
WHERE tenant = ?1 AND write_id = ?2 AND state IN ('pending', 'parked')
