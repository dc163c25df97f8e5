-- Revisions before number ?3 of an entry, the newest first. Numbers fall by one at each step, so that a damaged
-- chain ends.
WITH RECURSIVE chain (position, revision, previous) AS (
    SELECT l.position, l.revision, l.previous
    FROM entries AS e
    CROSS JOIN ledger AS l ON l.position = e.newest
    WHERE e.tenant = ?1 AND e.entry_id = ?2
    UNION ALL
    SELECT l.position, l.revision, l.previous
    FROM chain AS c
    CROSS JOIN ledger AS l ON l.position = c.previous
    WHERE l.revision = c.revision - 1 AND l.entry_id = ?2
)
SELECT l.position, l.write_id, l.revision, l.outcome, l.occurred_at, l.stored_at, l.content_hash, l.payload
FROM chain AS c
CROSS JOIN ledger AS l ON l.position = c.position
WHERE c.revision < ?3
LIMIT ?4
