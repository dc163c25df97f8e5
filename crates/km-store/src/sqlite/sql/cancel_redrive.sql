UPDATE redrives
SET state = 'cancelled'
WHERE tenant = ?1 AND id = ?2 AND state = 'running'
