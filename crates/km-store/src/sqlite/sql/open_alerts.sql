-- The occurrences of a tenant that go on, behind a fingerprint and a start.
SELECT
    incident_id, fingerprint, starts_at, ends_at, seen_at, labels, annotations, generator_url, ends_by, end_provenance,
    provenance
FROM occurrences
WHERE ends_at IS NULL AND tenant = ?1 AND (fingerprint, starts_at) > (?2, ?3)
ORDER BY fingerprint, starts_at
LIMIT ?4
