SELECT l.incident_id, l.kind, l.target_id, l.since, a.status, a.approved_since
FROM links AS l
LEFT JOIN approvals AS a ON l.kind = 'approval' AND a.tenant = l.tenant AND a.approval_id = l.target_id
WHERE l.tenant = ?1 AND l.incident_id = ?2
ORDER BY l.since, l.kind, l.target_id
LIMIT ?3
