-- Links to approvals that the ledger states, behind one of them; whether each is there, and as stated. An earlier
-- `since` than any write states was there before km; it stays.
SELECT s.tenant, s.incident_id, s.approval_id, k.since IS NOT NULL, k.since IS NOT NULL AND k.since <= s.since
FROM (
    SELECT tenant, incident_id, approval_id, min(occurred_at) AS since
    FROM ledger
    WHERE state = 'applied'
        AND incident_id IS NOT NULL
        AND approval_id IS NOT NULL
        AND (tenant, incident_id, approval_id) > (?1, ?2, ?3)
    GROUP BY tenant, incident_id, approval_id
    ORDER BY tenant, incident_id, approval_id
    LIMIT ?4
) AS s
LEFT JOIN links AS k
    ON k.tenant = s.tenant AND k.incident_id = s.incident_id AND k.kind = 'approval' AND k.target_id = s.approval_id
ORDER BY s.tenant, s.incident_id, s.approval_id
