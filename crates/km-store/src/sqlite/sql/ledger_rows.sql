SELECT
    position, tenant, write_id, state, entry_id, revision, outcome, occurred_at, stored_at, content_hash, payload,
    previous, path, incident_id, approval_id, approval_status, playbook
FROM ledger
WHERE position > ?1
ORDER BY position
LIMIT ?2
