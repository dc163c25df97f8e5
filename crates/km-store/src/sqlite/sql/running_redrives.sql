SELECT id, tenant, state, only_state, format, code, per_second, by, created_at, cursor, tried, settled, failed
FROM redrives
WHERE state = 'running'
ORDER BY created_at, id
LIMIT 100
