-- How km came by what it knows of an alert: `delivered`, `reconciled` or `observed`. Where an end is not known exactly,
-- it lies between `ends_at` and `ends_by`.
ALTER TABLE alerts ADD COLUMN ends_by INTEGER;
ALTER TABLE alerts ADD COLUMN end_provenance TEXT;
ALTER TABLE alerts ADD COLUMN provenance TEXT NOT NULL DEFAULT 'delivered';
UPDATE alerts SET end_provenance = 'delivered' WHERE ends_at IS NOT NULL;

ALTER TABLE occurrences ADD COLUMN ends_by INTEGER;
ALTER TABLE occurrences ADD COLUMN end_provenance TEXT;
ALTER TABLE occurrences ADD COLUMN provenance TEXT NOT NULL DEFAULT 'delivered';
UPDATE occurrences SET end_provenance = 'delivered' WHERE ends_at IS NOT NULL;

-- What goes on, which source reconciliation compares with what the sources say.
CREATE INDEX occurrences_open ON occurrences (tenant, fingerprint, starts_at)
    WHERE ends_at IS NULL;

-- How far each source was reconciled: a document of the reconciler, without labels of alerts.
CREATE TABLE source_notes (
    source TEXT PRIMARY KEY,
    note   TEXT NOT NULL
) STRICT, WITHOUT ROWID;
