INSERT INTO occurrences (
    tenant, fingerprint, starts_at, incident_id, ends_at, seen_at, starts, labels, annotations, generator_url, ends_by,
    end_provenance, provenance
)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
