SELECT l.tenant, l.incident_id, l.kind, l.target_id, l.since, a.status, a.approved_since
FROM links AS l
LEFT JOIN approvals AS a ON l.kind = 'approval' AND a.tenant = l.tenant AND a.approval_id = l.target_id
WHERE (l.tenant, l.incident_id, l.kind, l.target_id) > (?1, ?2, ?3, ?4)
ORDER BY l.tenant, l.incident_id, l.kind, l.target_id
LIMIT ?5
