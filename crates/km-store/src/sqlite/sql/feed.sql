-- Rows of a tenant between two positions, in order. The ledger is walked from the first position on: by its tenant
-- it would be walked and sorted whole.
SELECT position, tenant, write_id, state, entry_id, revision, outcome, occurred_at, stored_at, content_hash, payload
FROM ledger
WHERE position > ?2 AND position <= ?3 AND +tenant = ?1
ORDER BY position
LIMIT ?4
