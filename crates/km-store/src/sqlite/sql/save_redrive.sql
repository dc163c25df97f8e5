INSERT INTO redrives (
    id, tenant, state, only_state, format, code, per_second, by, created_at, cursor, tried, settled, failed
)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
ON CONFLICT DO UPDATE
SET state = excluded.state,
    cursor = excluded.cursor,
    tried = excluded.tried,
    settled = excluded.settled,
    failed = excluded.failed
WHERE redrives.state = 'running'
