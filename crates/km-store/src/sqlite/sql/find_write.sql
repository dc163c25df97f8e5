SELECT position, tenant, write_id, state, entry_id, revision, outcome, occurred_at, stored_at, content_hash, payload
FROM ledger
WHERE tenant = ?1 AND write_id = ?2
