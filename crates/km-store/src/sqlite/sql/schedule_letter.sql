UPDATE letters
SET next_try_at = ?3
WHERE tenant = ?1 AND write_id = ?2
