-- Asks the ledger again, so that what a write stated meanwhile is not undone. ?2 is empty: see `stated_approvals.sql`.
INSERT INTO approvals (tenant, approval_id, status, status_at, status_write_id, approved_since)
SELECT
    tenant,
    approval_id,
    approval_status,
    occurred_at,
    write_id,
    (
        SELECT min(occurred_at)
        FROM ledger
        WHERE state = 'applied' AND tenant = ?1 AND approval_id = ?3 AND approval_status = 'approved'
    )
FROM ledger
WHERE state = 'applied' AND tenant = ?1 AND approval_id = ?3 AND approval_status IS NOT NULL AND ?2 = ''
ORDER BY occurred_at DESC, write_id DESC
LIMIT 1
ON CONFLICT DO UPDATE
SET status = excluded.status,
    status_at = excluded.status_at,
    status_write_id = excluded.status_write_id,
    approved_since = excluded.approved_since
WHERE (status, status_at, status_write_id, approved_since)
    IS NOT (excluded.status, excluded.status_at, excluded.status_write_id, excluded.approved_since)
