SELECT ledger_id, (SELECT coalesce(max(position), 0) FROM ledger)
FROM identity
WHERE only = 1
