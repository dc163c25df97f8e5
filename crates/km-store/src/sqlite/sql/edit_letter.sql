UPDATE letters
SET original = coalesce(original, (SELECT l.payload FROM ledger AS l WHERE l.tenant = ?1 AND l.write_id = ?2)),
    format = ?3,
    next_try_at = ?4
WHERE tenant = ?1 AND write_id = ?2
