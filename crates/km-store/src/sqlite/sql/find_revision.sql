SELECT position, write_id, revision, outcome, occurred_at, stored_at, content_hash, payload, previous
FROM ledger
WHERE position = ?1
