-- The links as the ledger states them: since the first statement, with the status of the newest that has one.
CREATE TEMP TABLE stated AS
SELECT
    tenant,
    incident_id,
    'approval' AS kind,
    approval_id AS target_id,
    min(occurred_at) AS since,
    NULL AS status,
    NULL AS status_at,
    NULL AS status_write_id
FROM main.ledger
WHERE state = 'applied' AND incident_id IS NOT NULL AND approval_id IS NOT NULL
GROUP BY tenant, incident_id, approval_id
UNION ALL
SELECT tenant, incident_id, 'playbook', playbook, min(occurred_at), NULL, NULL, NULL
FROM main.ledger
WHERE state = 'applied' AND incident_id IS NOT NULL AND playbook IS NOT NULL
GROUP BY tenant, incident_id, playbook;

UPDATE temp.stated
SET (status, status_at, status_write_id) = (
    SELECT l.approval_status, l.occurred_at, l.write_id
    FROM main.ledger AS l
    WHERE l.state = 'applied'
        AND l.tenant = stated.tenant
        AND l.incident_id = stated.incident_id
        AND l.approval_id = stated.target_id
        AND l.approval_status IS NOT NULL
    ORDER BY l.occurred_at DESC, l.write_id DESC
    LIMIT 1
)
WHERE kind = 'approval';
