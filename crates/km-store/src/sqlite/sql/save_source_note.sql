INSERT INTO source_notes (source, note)
VALUES (?1, ?2)
ON CONFLICT DO UPDATE
SET note = excluded.note
