-- Heads of a tenant between two positions, the newest first. The join's order and the bare column keep to the
-- order of positions: the caller bounds how many rows lie between, and stops reading when it has enough.
SELECT
    e.entry_id, e.revisions, l.position, l.write_id, l.revision, l.outcome, l.occurred_at, l.stored_at,
    l.content_hash, l.payload
FROM ledger AS l
CROSS JOIN entries AS e ON e.tenant = l.tenant AND e.entry_id = l.entry_id AND e.head = l.position
WHERE l.position > ?2 AND l.position < ?3 AND +l.tenant = ?1 AND l.state = 'applied'
ORDER BY l.position DESC
