INSERT INTO ledger (tenant, write_id, state, occurred_at, stored_at, content_hash, payload)
VALUES (?1, ?2, 'parked', ?3, ?3, ?4, ?5)
ON CONFLICT (tenant, write_id) DO NOTHING
