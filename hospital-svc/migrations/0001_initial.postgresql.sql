CREATE TABLE hospital (
    hospital_id   uuid PRIMARY KEY,
    name          text NOT NULL,
    address       text NOT NULL,
    state         smallint NOT NULL CHECK (state IN (1, 2)), -- active, deleted
    created_at_us bigint NOT NULL,
    content       bytea NOT NULL -- digest of the registration as first accepted
);

CREATE TABLE screening_day (
    hospital_id uuid NOT NULL,
    date        date NOT NULL,
    capacity    integer NOT NULL,
    remaining   integer NOT NULL CHECK (remaining BETWEEN 0 AND capacity),
    version     bigint NOT NULL,
    PRIMARY KEY (hospital_id, date)
) WITH (fillfactor = 50); -- the hot day's row is rewritten in every batch: room for updates within its page

CREATE TABLE reservation (
    booking_id  uuid PRIMARY KEY,
    hospital_id uuid NOT NULL,
    date        date NOT NULL,
    headcount   integer NOT NULL,
    state       smallint NOT NULL CHECK (state IN (1, 2, 3)) -- live, released, tombstone
);

-- What the purge looks for; live reservations, nearly all, are not in it.
CREATE INDEX reservation_ended ON reservation (date) WHERE state <> 1;
