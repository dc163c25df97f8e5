INSERT INTO letter_events (tenant, write_id, at, by, what, detail)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)
