INSERT INTO links (tenant, incident_id, kind, target_id, since, status, status_at, status_write_id)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, iif(?6 IS NULL, NULL, ?5), iif(?6 IS NULL, NULL, ?7))
ON CONFLICT DO UPDATE
SET since = min(since, excluded.since),
    status = iif(
        excluded.status IS NOT NULL
        AND (status IS NULL OR (excluded.status_at, excluded.status_write_id) > (status_at, status_write_id)),
        excluded.status, status
    ),
    status_at = iif(
        excluded.status IS NOT NULL
        AND (status IS NULL OR (excluded.status_at, excluded.status_write_id) > (status_at, status_write_id)),
        excluded.status_at, status_at
    ),
    status_write_id = iif(
        excluded.status IS NOT NULL
        AND (status IS NULL OR (excluded.status_at, excluded.status_write_id) > (status_at, status_write_id)),
        excluded.status_write_id, status_write_id
    )
