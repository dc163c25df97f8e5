SELECT incident_id, fingerprint, starts_at, ends_at, seen_at, labels, annotations, generator_url
FROM alerts
WHERE tenant = ?1 AND incident_id = ?2
ORDER BY starts_at, fingerprint
LIMIT ?3
