SELECT
    e.entry_id, e.revisions, l.position, l.write_id, l.revision, l.outcome, l.occurred_at, l.stored_at,
    l.content_hash, l.payload
FROM entries AS e
INNER JOIN ledger AS l ON l.position = e.head
WHERE e.tenant = ?1 AND e.entry_id = ?2
