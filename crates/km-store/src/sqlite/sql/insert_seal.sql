-- Only behind the seal that it was made behind: another sealer may have been faster.
INSERT INTO seals (through, records, hash, sealed_at)
SELECT ?1, ?2, ?3, ?4
WHERE (SELECT max(through) FROM seals) IS ?5
