-- Rows after a position; the payload only of those that are heads still.
SELECT
    l.position, l.tenant, l.entry_id, l.occurred_at,
    CASE WHEN l.state = 'applied' AND e.head = l.position THEN l.payload END
FROM ledger AS l
LEFT JOIN entries AS e ON e.tenant = l.tenant AND e.entry_id = l.entry_id
WHERE l.position > ?1
ORDER BY l.position
LIMIT ?2
