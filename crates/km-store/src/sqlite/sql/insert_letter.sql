INSERT INTO letters (tenant, write_id, format, class, code, template, tries)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0)
