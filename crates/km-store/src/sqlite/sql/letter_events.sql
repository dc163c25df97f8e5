SELECT at, by, what, detail
FROM (
    SELECT id, at, by, what, detail
    FROM letter_events
    WHERE tenant = ?1 AND write_id = ?2
    ORDER BY id DESC
    LIMIT ?3
)
ORDER BY id
