SELECT incident_id, kind, target_id, since, status
FROM links
WHERE tenant = ?1 AND incident_id = ?2
ORDER BY since, kind, target_id
LIMIT ?3
