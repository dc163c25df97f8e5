SELECT
    starts_at, incident_id, told, firing_seen_at, ends_at, end_seen_at, ends_by, end_provenance, provenance
FROM alerts
WHERE tenant = ?1 AND fingerprint = ?2 AND starts_at <= ?3
ORDER BY starts_at DESC
LIMIT 1
