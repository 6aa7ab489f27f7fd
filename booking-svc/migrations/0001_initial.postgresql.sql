-- Statuses are the numbers of screening.v1.BookingStatus. Instants are microseconds since 1970.
CREATE TABLE booking (
    booking_id           uuid     NOT NULL PRIMARY KEY,
    customer_id          text     NOT NULL,
    customer_name        text     NOT NULL,
    hospital_id          uuid     NOT NULL,
    date                 date     NOT NULL,
    headcount            integer  NOT NULL CHECK (headcount >= 1),
    status               smallint NOT NULL CHECK (status BETWEEN 1 AND 5),
    status_reason        text     NOT NULL,
    created_at_us        bigint   NOT NULL,
    updated_at_us        bigint   NOT NULL,
    version              bigint   NOT NULL CHECK (version >= 1),
    content_hash         bytea    NOT NULL,
    queue_if_unavailable smallint NOT NULL,
    announced            smallint NOT NULL -- booking.requested has been appended
);
CREATE INDEX booking_by_customer ON booking (customer_id, booking_id);
CREATE INDEX booking_by_hospital ON booking (hospital_id, booking_id);
CREATE INDEX booking_by_hospital_day ON booking (hospital_id, date, booking_id);
CREATE INDEX booking_requested ON booking (booking_id) WHERE status = 1;

-- A deleted hospital: bookings of `day` or later are force-cancelled, those up to next_booking_id already are.
CREATE TABLE hospital_deletion (
    hospital_id     uuid     NOT NULL PRIMARY KEY,
    day             date     NOT NULL,
    next_booking_id uuid     NOT NULL,
    done            smallint NOT NULL
);
