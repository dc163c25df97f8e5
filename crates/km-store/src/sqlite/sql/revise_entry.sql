UPDATE entries
SET head = ?3, head_occurred_at = ?4, head_write_id = ?5, newest = ?3, revisions = revisions + 1
WHERE tenant = ?1 AND entry_id = ?2
