-- Statuses are the numbers of screening.v1.BookingStatus. Ids are 16 bytes, dates YYYY-MM-DD, instants microseconds.
CREATE TABLE booking (
    booking_id           BLOB    NOT NULL PRIMARY KEY,
    customer_id          TEXT    NOT NULL,
    customer_name        TEXT    NOT NULL,
    hospital_id          BLOB    NOT NULL,
    date                 TEXT    NOT NULL,
    headcount            INTEGER NOT NULL CHECK (headcount >= 1),
    status               INTEGER NOT NULL CHECK (status BETWEEN 1 AND 5),
    status_reason        TEXT    NOT NULL,
    created_at_us        INTEGER NOT NULL,
    updated_at_us        INTEGER NOT NULL,
    version              INTEGER NOT NULL CHECK (version >= 1),
    content_hash         BLOB    NOT NULL,
    queue_if_unavailable INTEGER NOT NULL,
    announced            INTEGER NOT NULL -- booking.requested has been appended
);
CREATE INDEX booking_by_customer ON booking (customer_id, booking_id);
CREATE INDEX booking_by_hospital ON booking (hospital_id, booking_id);
CREATE INDEX booking_by_hospital_day ON booking (hospital_id, date, booking_id);
CREATE INDEX booking_requested ON booking (booking_id) WHERE status = 1;

-- A deleted hospital: bookings of `day` or later are force-cancelled, those up to next_booking_id already are.
CREATE TABLE hospital_deletion (
    hospital_id     BLOB    NOT NULL PRIMARY KEY,
    day             TEXT    NOT NULL,
    next_booking_id BLOB    NOT NULL,
    done            INTEGER NOT NULL
);
