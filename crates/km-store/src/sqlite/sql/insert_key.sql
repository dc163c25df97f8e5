INSERT INTO api_keys (id, digest, name, tenant, scopes, created_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)
