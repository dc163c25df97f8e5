SELECT
    incident_id, fingerprint, starts_at, ends_at, seen_at, labels, annotations, generator_url, ends_by, end_provenance,
    provenance, starts
FROM occurrences
WHERE tenant = ?1 AND fingerprint = ?2 AND starts_at <= ?3
ORDER BY starts_at DESC
LIMIT 1
