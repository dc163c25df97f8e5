SELECT newest FROM entries WHERE tenant = ?1 AND entry_id = ?2
