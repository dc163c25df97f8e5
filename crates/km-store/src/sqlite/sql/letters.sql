SELECT
    l.tenant, l.write_id, l.position, l.state, d.format, d.class, d.code, d.template, d.tries, d.next_try_at,
    l.stored_at, octet_length(l.payload)
FROM ledger AS l
INNER JOIN letters AS d ON d.tenant = l.tenant AND d.write_id = l.write_id
WHERE l.state <> 'applied'
    AND l.tenant = ?1
    AND (?2 IS NULL OR l.state = ?2)
    AND (?3 IS NULL OR d.format = ?3)
    AND (?4 IS NULL OR d.code = ?4)
    AND (?5 IS NULL OR l.position < ?5)
ORDER BY l.position DESC
LIMIT ?6
