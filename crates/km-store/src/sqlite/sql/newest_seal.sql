SELECT through, records, hash, sealed_at
FROM seals
WHERE through < ?1
ORDER BY through DESC
LIMIT 1
