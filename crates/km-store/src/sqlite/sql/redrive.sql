SELECT id, tenant, state, only_state, format, code, per_second, by, created_at, cursor, tried, settled, failed
FROM redrives
WHERE tenant = ?1 AND id = ?2
