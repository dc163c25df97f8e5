DELETE FROM alerts
WHERE tenant = ?1 AND fingerprint = ?2 AND starts_at = ?3
