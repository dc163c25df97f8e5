-- The newest statement says where an approval stands; statements come to the same in any order.
INSERT INTO approvals (tenant, approval_id, status, status_at, status_write_id, approved_since)
VALUES (?1, ?2, ?3, ?4, ?5, iif(?3 = 'approved', ?4, NULL))
ON CONFLICT DO UPDATE
SET status = iif(
        (excluded.status_at, excluded.status_write_id) > (status_at, status_write_id),
        excluded.status, status
    ),
    status_write_id = iif(
        (excluded.status_at, excluded.status_write_id) > (status_at, status_write_id),
        excluded.status_write_id, status_write_id
    ),
    status_at = max(status_at, excluded.status_at),
    approved_since = coalesce(
        min(approved_since, excluded.approved_since), approved_since, excluded.approved_since
    )
