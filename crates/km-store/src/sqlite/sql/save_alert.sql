INSERT INTO alerts (
    tenant, fingerprint, incident_id, starts_at, ends_at, seen_at, labels, annotations, generator_url
)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
ON CONFLICT DO UPDATE
SET starts_at = excluded.starts_at,
    ends_at = excluded.ends_at,
    seen_at = excluded.seen_at,
    labels = excluded.labels,
    annotations = excluded.annotations,
    generator_url = excluded.generator_url
