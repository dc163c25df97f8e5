SELECT note
FROM source_notes
WHERE source = ?1
