INSERT INTO ledger (
    tenant, write_id, state, entry_id, revision, outcome, previous, path, incident_id, approval_id,
    approval_status, playbook, occurred_at, stored_at, content_hash, payload
)
VALUES (?1, ?2, 'applied', ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
ON CONFLICT (tenant, write_id) DO NOTHING
