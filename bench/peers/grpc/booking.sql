CREATE TABLE booking (
    id uuid PRIMARY KEY,
    customer_id text NOT NULL,
    day integer NOT NULL,
    headcount integer NOT NULL CHECK (headcount > 0),
    status text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);

-- A customer's bookings can be listed here too.
CREATE INDEX booking_by_customer ON booking (customer_id, id);

CREATE TABLE outbox (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    type text NOT NULL,
    booking_id uuid NOT NULL
);
