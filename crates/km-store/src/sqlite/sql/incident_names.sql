-- Every name of the occurrences that an incident is a name of.
SELECT b.incident_id
FROM alerts AS a
CROSS JOIN alerts AS b ON b.tenant = a.tenant
    AND b.fingerprint = a.fingerprint
    AND b.starts_at >= (
        SELECT max(n.starts_at)
        FROM occurrences AS n
        WHERE n.tenant = a.tenant AND n.fingerprint = a.fingerprint AND n.starts_at <= a.starts_at
    )
    AND b.starts_at < coalesce(
        (
            SELECT min(n.starts_at)
            FROM occurrences AS n
            WHERE n.tenant = a.tenant AND n.fingerprint = a.fingerprint AND n.starts_at > a.starts_at
        ),
        9223372036854775807
    )
WHERE a.tenant = ?1 AND a.incident_id = ?2
LIMIT ?3
