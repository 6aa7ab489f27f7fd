-- A day counts what its live reservations hold, whatever its capacity and whether or not it was ever opened (version 0):
-- places that a restored database had lost are taken again even beyond the capacity. Remaining = max(0, capacity - reserved).
CREATE TABLE screening_day_with_reserved (
    hospital_id BLOB NOT NULL,
    date        TEXT NOT NULL,
    capacity    INTEGER NOT NULL CHECK (capacity >= 0),
    reserved    INTEGER NOT NULL CHECK (reserved BETWEEN 0 AND 2147483647),
    version     INTEGER NOT NULL,
    PRIMARY KEY (hospital_id, date)
) WITHOUT ROWID;
INSERT INTO screening_day_with_reserved (hospital_id, date, capacity, reserved, version)
    SELECT hospital_id, date, capacity, capacity - remaining, version FROM screening_day;
DROP TABLE screening_day;
ALTER TABLE screening_day_with_reserved RENAME TO screening_day;
