-- For a list of three values SQLite fills a temporary b-tree at each insert and update, for a range it compares. The range
-- allows the same integers. Only the text of the schema changes (docs/decisions/0047); the view that comes and goes changes
-- the number of the schema, so that every connection reads it again.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, 'CHECK (state IN (1, 2, 3))', 'CHECK (state BETWEEN 1 AND 3)')
    WHERE type = 'table' AND name = 'reservation';
CREATE VIEW schema_changed AS SELECT 1;
DROP VIEW schema_changed;
PRAGMA writable_schema = RESET;
