-- The era of the database and what it is paired with, in the row that every batch locks.
ALTER TABLE event_log_head
    ADD COLUMN era_no bigint NOT NULL DEFAULT 0, -- counts up; 0 = none has begun
    ADD COLUMN era bigint NOT NULL DEFAULT 0, -- random
    ADD COLUMN paired bigint NOT NULL DEFAULT 1, -- 0 = an era has begun since the last pairing
    ADD COLUMN since_seq bigint NOT NULL DEFAULT 0, -- the head when the first such era began
    ADD COLUMN peer_era bigint NOT NULL DEFAULT 0, -- the other database's, as it was paired with
    ADD COLUMN peer_log_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000';
