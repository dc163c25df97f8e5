SELECT l.state, d.class, count(*), sum(octet_length(l.payload)), min(l.stored_at)
FROM ledger AS l
INNER JOIN letters AS d ON d.tenant = l.tenant AND d.write_id = l.write_id
WHERE l.state <> 'applied'
GROUP BY l.state, d.class
