INSERT INTO links (tenant, incident_id, kind, target_id, since)
VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT DO UPDATE
SET since = excluded.since
WHERE excluded.since < since
