-- Statuses are the numbers of screening.v1.BookingStatus. Instants are microseconds since 1970. Nothing here depends on
-- when or how often an event was applied, so that a rebuild makes the same tables.

-- Each booking as its highest version tells it.
CREATE TABLE booking_summary (
    booking_id    uuid     NOT NULL PRIMARY KEY,
    customer_id   text     NOT NULL,
    customer_name text     NOT NULL,
    hospital_id   uuid     NOT NULL,
    date          date     NOT NULL,
    headcount     integer  NOT NULL,
    status        smallint NOT NULL CHECK (status BETWEEN 1 AND 5),
    status_reason text     NOT NULL,
    created_at_us bigint   NOT NULL,
    updated_at_us bigint   NOT NULL,
    version       bigint   NOT NULL CHECK (version >= 1)
) WITH (fillfactor = 85); -- most bookings change once or twice: room for that within the page
CREATE INDEX booking_summary_by_customer ON booking_summary (customer_id, created_at_us, booking_id);

-- Every event of every booking. An event is of one booking and version, so that the key holds it once.
CREATE TABLE timeline_entry (
    booking_id     uuid     NOT NULL,
    version        bigint   NOT NULL,
    event_id       uuid     NOT NULL,
    status         smallint NOT NULL,
    reason         text     NOT NULL,
    occurred_at_us bigint   NOT NULL,
    source         text     NOT NULL, -- the log that told
    seq            bigint   NOT NULL,
    PRIMARY KEY (booking_id, version, event_id)
);

-- deleted_day: the civil date of the deletion in the clinic's zone; bookings of that day or later are shown as
-- FORCE_CANCELLED at once.
CREATE TABLE hospital (
    hospital_id   uuid NOT NULL PRIMARY KEY,
    name          text NOT NULL,
    address       text NOT NULL,
    deleted_day   date,
    deleted_at_us bigint,
    CHECK ((deleted_day IS NULL) = (deleted_at_us IS NULL))
);

-- Events of types that this program does not know, for a later one, which reads them by --rebuild.
CREATE TABLE unknown_event (
    log      text   NOT NULL,
    seq      bigint NOT NULL,
    event_id uuid   NOT NULL,
    type     text   NOT NULL,
    event    bytea  NOT NULL,
    PRIMARY KEY (log, seq)
);
