SELECT 1
FROM alerts
WHERE tenant = ?1 AND incident_id = ?2 AND fingerprint = ?3
LIMIT 1
