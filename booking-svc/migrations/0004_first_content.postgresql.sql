-- A repeated request is compared with the columns of its booking, and with a digest only where they do not hold the request:
-- in bookings of earlier versions, and for fields that the version did not know.
ALTER TABLE booking RENAME COLUMN content_hash TO first_content;
ALTER TABLE booking ALTER COLUMN first_content DROP NOT NULL;
