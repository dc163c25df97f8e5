-- Links that the ledger states, links that it does not, and links whose incident nobody has written about.
SELECT
    (SELECT count(*) FROM temp.stated),
    (SELECT count(*) FROM links) - (SELECT count(*) FROM temp.stated),
    (
        SELECT count(*)
        FROM links AS l
        WHERE NOT EXISTS (
            SELECT 1 FROM entries AS e
            WHERE e.tenant = l.tenant AND e.entry_id = incident_entry(l.tenant, l.incident_id)
        )
        AND NOT EXISTS (
            SELECT 1 FROM alerts AS a
            WHERE a.tenant = l.tenant AND a.incident_id = l.incident_id
        )
    )
