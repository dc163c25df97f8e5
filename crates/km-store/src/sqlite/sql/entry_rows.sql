SELECT tenant, entry_id, entry_key, head, head_write_id, head_occurred_at, newest, revisions
FROM entries
WHERE (tenant, entry_id) > (?1, ?2)
ORDER BY tenant, entry_id
LIMIT ?3
