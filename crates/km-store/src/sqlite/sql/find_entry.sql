SELECT head_occurred_at, head_write_id, newest, revisions
FROM entries
WHERE tenant = ?1 AND entry_id = ?2
