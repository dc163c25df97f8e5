DELETE FROM occurrences
WHERE tenant = ?1 AND fingerprint = ?2 AND starts_at >= ?3 AND starts_at <= ?4
