INSERT INTO links (tenant, incident_id, kind, target_id, since, status, status_at, status_write_id)
SELECT tenant, incident_id, kind, target_id, since, status, status_at, status_write_id
FROM temp.stated
WHERE true
ON CONFLICT DO NOTHING
