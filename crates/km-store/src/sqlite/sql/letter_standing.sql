SELECT iif(l.state = 'applied', 'settled', l.state), l.content_hash
FROM letters AS d
INNER JOIN ledger AS l ON l.tenant = d.tenant AND l.write_id = d.write_id
WHERE d.tenant = ?1 AND d.write_id = ?2
