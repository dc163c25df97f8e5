UPDATE alerts
SET told = 1
WHERE tenant = ?1 AND incident_id = ?2 AND fingerprint = ?3 AND told = 0
