DELETE FROM posting;
DELETE FROM block;
DELETE FROM segment_column;
DELETE FROM segment;
DELETE FROM document;
DELETE FROM entry;

UPDATE state
SET indexed_through = 0, next_number = 0
WHERE only = 1;
