-- What was said under the starts from ?3 on, and whether an occurrence begins there. A name under which knowledge
-- is kept counts as told.
SELECT
    a.starts_at,
    a.incident_id,
    a.told OR EXISTS (
        SELECT 1 FROM entries AS e
        WHERE e.tenant = a.tenant AND e.entry_id = incident_entry(a.tenant, a.incident_id)
    ),
    a.firing_seen_at,
    a.ends_at,
    a.end_seen_at,
    a.ends_by,
    a.end_provenance,
    a.provenance,
    EXISTS (
        SELECT 1 FROM occurrences AS o
        WHERE o.tenant = a.tenant AND o.fingerprint = a.fingerprint AND o.starts_at = a.starts_at
    )
FROM alerts AS a
WHERE a.tenant = ?1 AND a.fingerprint = ?2 AND a.starts_at >= ?3
ORDER BY a.starts_at
LIMIT ?4
