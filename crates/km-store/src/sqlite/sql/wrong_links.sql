UPDATE links
SET since = s.since, status = s.status, status_at = s.status_at, status_write_id = s.status_write_id
FROM temp.stated AS s
WHERE s.tenant = links.tenant
    AND s.incident_id = links.incident_id
    AND s.kind = links.kind
    AND s.target_id = links.target_id
    AND (links.since, links.status, links.status_at, links.status_write_id)
        IS NOT (s.since, s.status, s.status_at, s.status_write_id)
