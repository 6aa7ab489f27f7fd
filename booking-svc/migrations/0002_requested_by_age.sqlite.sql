-- The settler takes the oldest first, whatever ids the callers chose.
DROP INDEX booking_requested;
CREATE INDEX booking_requested ON booking (created_at_us, booking_id) WHERE status = 1;
