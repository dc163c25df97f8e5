SELECT tenant, approval_id, status, status_at, status_write_id, approved_since
FROM approvals
WHERE (tenant, approval_id) > (?1, ?2)
ORDER BY tenant, approval_id
LIMIT ?3
