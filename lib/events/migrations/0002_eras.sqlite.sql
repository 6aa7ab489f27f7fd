-- The era of the database and what it is paired with, in the row that every batch locks.
ALTER TABLE event_log_head ADD COLUMN era_no INTEGER NOT NULL DEFAULT 0; -- counts up; 0 = none has begun
ALTER TABLE event_log_head ADD COLUMN era INTEGER NOT NULL DEFAULT 0; -- random
ALTER TABLE event_log_head ADD COLUMN paired INTEGER NOT NULL DEFAULT 1; -- 0 = an era has begun since the last pairing
ALTER TABLE event_log_head ADD COLUMN since_seq INTEGER NOT NULL DEFAULT 0; -- the head when the first such era began
ALTER TABLE event_log_head ADD COLUMN peer_era INTEGER NOT NULL DEFAULT 0; -- the other database's, as it was paired with
ALTER TABLE event_log_head ADD COLUMN peer_log_id BLOB NOT NULL DEFAULT x'00000000000000000000000000000000';
