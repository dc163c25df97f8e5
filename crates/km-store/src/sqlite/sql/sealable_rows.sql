-- The applied rows behind ?1 through ?2, without their payloads: their hashes are sealed.
SELECT
    position, tenant, write_id, state, entry_id, revision, outcome, occurred_at, stored_at, content_hash, '',
    previous, path, incident_id, approval_id, approval_status, playbook
FROM ledger
WHERE position > ?1 AND position <= ?2 AND state = 'applied'
ORDER BY position
LIMIT ?3
