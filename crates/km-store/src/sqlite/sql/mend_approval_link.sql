-- Asks the ledger again, so that what a write stated meanwhile is not undone.
INSERT INTO links (tenant, incident_id, kind, target_id, since)
SELECT tenant, incident_id, 'approval', approval_id, min(occurred_at)
FROM ledger
WHERE state = 'applied' AND tenant = ?1 AND incident_id = ?2 AND approval_id = ?3
GROUP BY tenant, incident_id, approval_id
ON CONFLICT DO UPDATE
SET since = excluded.since
WHERE excluded.since < since
