-- Asks the ledger again, so that what a write stated meanwhile is not undone.
INSERT INTO links (tenant, incident_id, kind, target_id, since)
SELECT tenant, incident_id, 'playbook', playbook, min(occurred_at)
FROM ledger
WHERE state = 'applied' AND tenant = ?1 AND incident_id = ?2 AND playbook = ?3
GROUP BY tenant, incident_id, playbook
ON CONFLICT DO UPDATE
SET since = excluded.since
WHERE excluded.since < since
