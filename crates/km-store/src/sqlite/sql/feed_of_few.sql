-- Rows of a tenant after a position, in order, for a tenant that has few: its positions are taken from the index
-- by write id and sorted, and only the rows of the answer are read.
SELECT
    l.position, l.tenant, l.write_id, l.state, l.entry_id, l.revision, l.outcome, l.occurred_at, l.stored_at,
    l.content_hash, l.payload
FROM (
    SELECT position
    FROM ledger INDEXED BY ledger_by_write
    WHERE tenant = ?1 AND position > ?2
    ORDER BY position
    LIMIT ?3
) AS few
CROSS JOIN ledger AS l ON l.position = few.position
ORDER BY l.position
