SELECT through, records, hash, sealed_at
FROM seals
ORDER BY through DESC
LIMIT 1
