SELECT tenant, incident_id, kind, target_id, since, status
FROM links
ORDER BY tenant, incident_id, kind, target_id
LIMIT ?2 OFFSET ?1
