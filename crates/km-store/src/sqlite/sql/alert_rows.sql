SELECT
    a.starts_at, a.incident_id, a.told, a.firing_seen_at, a.ends_at, a.end_seen_at, a.ends_by, a.end_provenance,
    a.provenance, a.tenant, a.fingerprint, o.starts_at, o.ends_at, o.starts, o.ends_by, o.end_provenance, o.provenance
FROM alerts AS a
LEFT JOIN occurrences AS o
    ON o.tenant = a.tenant
    AND o.fingerprint = a.fingerprint
    AND o.starts_at = (
        SELECT max(n.starts_at)
        FROM occurrences AS n
        WHERE n.tenant = a.tenant AND n.fingerprint = a.fingerprint AND n.starts_at <= a.starts_at
    )
WHERE (a.tenant, a.fingerprint, a.starts_at) > (?1, ?2, ?3)
ORDER BY a.tenant, a.fingerprint, a.starts_at
LIMIT ?4
