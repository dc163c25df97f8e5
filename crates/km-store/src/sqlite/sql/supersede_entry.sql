UPDATE entries
SET newest = ?3, revisions = revisions + 1
WHERE tenant = ?1 AND entry_id = ?2
