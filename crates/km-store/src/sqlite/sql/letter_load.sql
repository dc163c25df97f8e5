SELECT count(*), coalesce(sum(octet_length(payload)), 0)
FROM ledger
WHERE state IN ('pending', 'parked')
