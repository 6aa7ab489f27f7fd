-- A day counts what its live reservations hold, whatever its capacity and whether or not it was ever opened (version 0):
-- places that a restored database had lost are taken again even beyond the capacity. Remaining = max(0, capacity - reserved).
ALTER TABLE screening_day ADD COLUMN reserved integer;
UPDATE screening_day SET reserved = capacity - remaining;
ALTER TABLE screening_day
    DROP COLUMN remaining,
    ALTER COLUMN reserved SET NOT NULL,
    ADD CHECK (capacity >= 0),
    ADD CHECK (reserved >= 0);
