-- Rows after a position, and whether each is the head of its entry still.
SELECT
    l.position, l.tenant, l.entry_id, l.occurred_at, l.payload,
    l.state = 'applied' AND EXISTS (
        SELECT 1 FROM entries AS e
        WHERE e.tenant = l.tenant AND e.entry_id = l.entry_id AND e.head = l.position
    )
FROM ledger AS l
WHERE l.position > ?1
ORDER BY l.position
LIMIT ?2
