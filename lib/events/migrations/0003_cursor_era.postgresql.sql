-- The era of the other database whose line of events the cursor stands in; 0 = not known.
ALTER TABLE event_cursor ADD COLUMN era bigint NOT NULL DEFAULT 0;
