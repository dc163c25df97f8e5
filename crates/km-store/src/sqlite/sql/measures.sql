SELECT
    (SELECT count(*) FROM ledger),
    (SELECT count(*) FROM entries),
    (SELECT coalesce(max(position), 0) FROM ledger)
