-- Heads that came after a position, the newest first. The ledger is walked from that position on: by its tenant
-- it would be walked whole.
SELECT
    e.entry_id, e.revisions, l.position, l.write_id, l.revision, l.outcome, l.occurred_at, l.stored_at,
    l.content_hash, l.payload
FROM ledger AS l
CROSS JOIN entries AS e ON e.tenant = l.tenant AND e.entry_id = l.entry_id AND e.head = l.position
WHERE l.position > ?2 AND +l.tenant = ?1 AND l.state = 'applied'
ORDER BY l.position DESC
LIMIT ?3
