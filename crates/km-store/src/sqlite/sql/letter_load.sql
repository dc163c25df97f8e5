SELECT count(*), coalesce(sum(octet_length(payload)), 0)
FROM ledger INDEXED BY letters_waiting
WHERE state IN ('pending', 'parked')
