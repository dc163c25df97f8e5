SELECT
    l.tenant, l.write_id, l.position, iif(l.state = 'applied', 'settled', l.state), d.format, d.class, d.code,
    d.template, d.tries, d.next_try_at, l.stored_at, octet_length(l.payload), l.payload, d.original
FROM letters AS d
INNER JOIN ledger AS l ON l.tenant = d.tenant AND l.write_id = d.write_id
WHERE d.tenant = ?1 AND d.write_id = ?2
