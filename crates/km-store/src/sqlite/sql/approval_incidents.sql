SELECT incident_id
FROM links
WHERE tenant = ?1 AND kind = 'approval' AND target_id = ?2
ORDER BY incident_id
LIMIT ?3
