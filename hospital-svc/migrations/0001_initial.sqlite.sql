CREATE TABLE hospital (
    hospital_id   BLOB PRIMARY KEY NOT NULL,
    name          TEXT NOT NULL,
    address       TEXT NOT NULL,
    state         INTEGER NOT NULL CHECK (state IN (1, 2)), -- active, deleted
    created_at_us INTEGER NOT NULL,
    content       BLOB NOT NULL -- digest of the registration as first accepted
) WITHOUT ROWID;

CREATE TABLE screening_day (
    hospital_id BLOB NOT NULL,
    date        TEXT NOT NULL,
    capacity    INTEGER NOT NULL,
    remaining   INTEGER NOT NULL CHECK (remaining BETWEEN 0 AND capacity),
    version     INTEGER NOT NULL,
    PRIMARY KEY (hospital_id, date)
) WITHOUT ROWID;

CREATE TABLE reservation (
    booking_id  BLOB PRIMARY KEY NOT NULL,
    hospital_id BLOB NOT NULL,
    date        TEXT NOT NULL,
    headcount   INTEGER NOT NULL,
    state       INTEGER NOT NULL CHECK (state IN (1, 2, 3)) -- live, released, tombstone
) WITHOUT ROWID;

-- What the purge looks for; live reservations, nearly all, are not in it.
CREATE INDEX reservation_ended ON reservation (date) WHERE state <> 1;
