-- Links behind one of them; whether a write states each, and whether anybody has written about its incident.
SELECT
    k.tenant,
    k.incident_id,
    k.kind,
    k.target_id,
    EXISTS (
        SELECT 1 FROM ledger AS l
        WHERE l.state = 'applied'
            AND l.tenant = k.tenant
            AND l.incident_id = k.incident_id
            AND l.approval_id = k.target_id
            AND k.kind = 'approval'
    )
    OR EXISTS (
        SELECT 1 FROM ledger AS l
        WHERE l.state = 'applied'
            AND l.tenant = k.tenant
            AND l.incident_id = k.incident_id
            AND l.playbook = k.target_id
            AND k.kind = 'playbook'
    ),
    EXISTS (
        SELECT 1 FROM entries AS e
        WHERE e.tenant = k.tenant AND e.entry_id = incident_entry(k.tenant, k.incident_id)
    )
    OR EXISTS (
        SELECT 1 FROM alerts AS a
        WHERE a.tenant = k.tenant AND a.incident_id = k.incident_id
    )
FROM links AS k
WHERE (k.tenant, k.incident_id, k.kind, k.target_id) > (?1, ?2, ?3, ?4)
ORDER BY k.tenant, k.incident_id, k.kind, k.target_id
LIMIT ?5
