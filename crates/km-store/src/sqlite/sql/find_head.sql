SELECT head
FROM entries
WHERE tenant = ?1 AND entry_id = ?2
