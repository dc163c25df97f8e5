-- Links to playbooks that the ledger states, behind one of them; whether each is there, and as stated. An earlier
-- `since` than any write states was there before km; it stays.
SELECT s.tenant, s.incident_id, s.playbook, k.since IS NOT NULL, k.since IS NOT NULL AND k.since <= s.since
FROM (
    SELECT tenant, incident_id, playbook, min(occurred_at) AS since
    FROM ledger
    WHERE state = 'applied'
        AND incident_id IS NOT NULL
        AND playbook IS NOT NULL
        AND (tenant, incident_id, playbook) > (?1, ?2, ?3)
    GROUP BY tenant, incident_id, playbook
    ORDER BY tenant, incident_id, playbook
    LIMIT ?4
) AS s
LEFT JOIN links AS k
    ON k.tenant = s.tenant AND k.incident_id = s.incident_id AND k.kind = 'playbook' AND k.target_id = s.playbook
ORDER BY s.tenant, s.incident_id, s.playbook
