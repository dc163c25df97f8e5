INSERT INTO seals (through, records, hash, sealed_at)
VALUES (?1, ?2, ?3, ?4)
ON CONFLICT DO NOTHING
