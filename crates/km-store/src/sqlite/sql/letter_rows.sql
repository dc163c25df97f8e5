SELECT d.tenant, d.write_id, l.state
FROM letters AS d
LEFT JOIN ledger AS l ON l.tenant = d.tenant AND l.write_id = d.write_id
WHERE (d.tenant, d.write_id) > (?1, ?2)
ORDER BY d.tenant, d.write_id
LIMIT ?3
