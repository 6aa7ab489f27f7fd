-- A repeated request is compared with the columns of its booking, and with a digest only where they do not hold the request:
-- in bookings of earlier versions, and for fields that the version did not know. NOT NULL goes as docs/decisions/0047 describes;
-- the new name of the column changes the number of the schema.
ALTER TABLE booking RENAME COLUMN content_hash TO first_content;
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, 'first_content         BLOB    NOT NULL', 'first_content         BLOB')
    WHERE type = 'table' AND name = 'booking';
PRAGMA writable_schema = RESET;
