INSERT INTO entries (tenant, entry_id, entry_key, head, head_occurred_at, head_write_id, newest, revisions)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?4, 1)
