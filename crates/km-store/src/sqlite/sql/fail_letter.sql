UPDATE letters
SET class = ?3, code = ?4, template = ?5, tries = tries + ?6, next_try_at = ?7
WHERE tenant = ?1 AND write_id = ?2
