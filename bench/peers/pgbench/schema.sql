-- The whole booking as one function in one database: what PostgreSQL alone can do, without any call between services.
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

CREATE TABLE booking (
    id uuid PRIMARY KEY,
    customer_id text NOT NULL,
    day integer NOT NULL,
    headcount integer NOT NULL CHECK (headcount > 0),
    status text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX booking_by_customer ON booking (customer_id, id);

CREATE TABLE outbox (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    type text NOT NULL,
    booking_id uuid NOT NULL
);

INSERT INTO day SELECT id, 1000000000, 1000000000 FROM generate_series(1, 1000) AS id;
ANALYZE day;

-- The hot row comes last, so that it is locked for as short as can be.
CREATE FUNCTION book(wanted_day integer, heads integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    new_id uuid := gen_random_uuid();
    left_over integer;
BEGIN
    INSERT INTO booking (id, customer_id, day, headcount, status)
        VALUES (new_id, right(new_id::text, 12), wanted_day, heads, 'CONFIRMED');
    INSERT INTO reservation (booking_id, day, headcount) VALUES (new_id, wanted_day, heads);
    INSERT INTO outbox (type, booking_id) VALUES ('BookingConfirmed', new_id);
    UPDATE day SET remaining = remaining - heads WHERE id = wanted_day AND remaining >= heads
        RETURNING remaining INTO left_over;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'not that many places are left';
    END IF;
    RETURN left_over;
END
$$;
