CREATE TABLE day (
    id integer PRIMARY KEY,
    capacity integer NOT NULL,
    remaining integer NOT NULL CHECK (remaining >= 0)
) WITH (fillfactor = 50);

CREATE TABLE reservation (
    booking_id uuid PRIMARY KEY,
    day integer NOT NULL,
    headcount integer NOT NULL CHECK (headcount > 0)
);

INSERT INTO day SELECT id, 1000000000, 1000000000 FROM generate_series(1, 1000) AS id;
ANALYZE day;
