-- A Pair lists the unannounced bookings: few, however many wait in a backlog.
DROP INDEX booking_requested;
CREATE INDEX booking_requested ON booking (announced, created_at_us, booking_id) WHERE status = 1;
