UPDATE ledger
SET position = (SELECT max(position) + 1 FROM ledger),
    state = 'applied',
    entry_id = ?3,
    revision = ?4,
    outcome = ?5,
    previous = ?6,
    path = ?7,
    incident_id = ?8,
    approval_id = ?9,
    approval_status = ?10,
    playbook = ?11,
    occurred_at = ?12,
    stored_at = ?13,
    content_hash = ?14,
    payload = ?15
WHERE tenant = ?1 AND write_id = ?2
RETURNING position
