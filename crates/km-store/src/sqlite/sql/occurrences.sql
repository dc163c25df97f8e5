SELECT count(*)
FROM occurrences
