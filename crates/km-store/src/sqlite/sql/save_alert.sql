INSERT INTO alerts (
    tenant, fingerprint, starts_at, incident_id, told, firing_seen_at, ends_at, end_seen_at, ends_by, end_provenance,
    provenance
)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
ON CONFLICT DO UPDATE
SET firing_seen_at = excluded.firing_seen_at,
    ends_at = excluded.ends_at,
    end_seen_at = excluded.end_seen_at,
    ends_by = excluded.ends_by,
    end_provenance = excluded.end_provenance,
    provenance = excluded.provenance
