-- Approvals whose standing the ledger states, behind one of them; whether each is there, and as stated. Approvals
-- have no incident of their own: ?2 and its column are empty.
SELECT
    s.tenant,
    '',
    s.approval_id,
    k.status IS NOT NULL,
    (k.status, k.status_at, k.status_write_id) IS (
        SELECT approval_status, occurred_at, write_id
        FROM ledger
        WHERE state = 'applied'
            AND tenant = s.tenant
            AND approval_id = s.approval_id
            AND approval_status IS NOT NULL
        ORDER BY occurred_at DESC, write_id DESC
        LIMIT 1
    )
    AND k.approved_since IS s.approved_since
FROM (
    SELECT tenant, approval_id, min(iif(approval_status = 'approved', occurred_at, NULL)) AS approved_since
    FROM ledger
    WHERE state = 'applied'
        AND approval_id IS NOT NULL
        AND approval_status IS NOT NULL
        AND (tenant, approval_id) > (?1, ?3)
    GROUP BY tenant, approval_id
    ORDER BY tenant, approval_id
    LIMIT ?4
) AS s
LEFT JOIN approvals AS k ON k.tenant = s.tenant AND k.approval_id = s.approval_id
ORDER BY s.tenant, s.approval_id
