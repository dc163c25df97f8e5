-- The occurrence that a notice from ?3 to ?4 belongs to; a missing end is still to come.
SELECT incident_id, fingerprint, starts_at, ends_at, seen_at, labels, annotations, generator_url
FROM alerts
WHERE tenant = ?1
    AND fingerprint = ?2
    AND (ends_at IS NULL OR ends_at >= ?3)
    AND (?4 IS NULL OR starts_at <= ?4)
ORDER BY starts_at
LIMIT 1
