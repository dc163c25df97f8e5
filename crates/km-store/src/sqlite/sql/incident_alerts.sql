-- The occurrences that an incident is a name of.
SELECT
    o.incident_id, o.fingerprint, o.starts_at, o.ends_at, o.seen_at, o.labels, o.annotations, o.generator_url,
    o.ends_by, o.end_provenance, o.provenance
FROM alerts AS a
CROSS JOIN occurrences AS o ON o.tenant = a.tenant
    AND o.fingerprint = a.fingerprint
    AND o.starts_at = (
        SELECT max(n.starts_at)
        FROM occurrences AS n
        WHERE n.tenant = a.tenant AND n.fingerprint = a.fingerprint AND n.starts_at <= a.starts_at
    )
WHERE a.tenant = ?1 AND a.incident_id = ?2
LIMIT ?3
