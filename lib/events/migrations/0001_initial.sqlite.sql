CREATE TABLE event_log_head (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    log_id BLOB NOT NULL,
    head_seq INTEGER NOT NULL,
    head_event_id BLOB NOT NULL -- all zero before the first event
) STRICT;

-- `event` is the packed screening.v1.Event with its seq, so that it is served as it lies here.
CREATE TABLE event_log (
    seq INTEGER PRIMARY KEY,
    event_id BLOB NOT NULL,
    type TEXT NOT NULL,
    occurred_at_us INTEGER NOT NULL,
    event BLOB NOT NULL
) STRICT;

-- How far this service has applied the log of another.
CREATE TABLE event_cursor (
    log TEXT PRIMARY KEY,
    log_id BLOB NOT NULL,
    seq INTEGER NOT NULL,
    event_id BLOB NOT NULL
) STRICT;

CREATE TABLE dead_letter (
    log TEXT NOT NULL,
    log_id BLOB NOT NULL,
    seq INTEGER NOT NULL,
    event_id BLOB NOT NULL,
    type TEXT NOT NULL,
    reason TEXT NOT NULL,
    stored_at_us INTEGER NOT NULL,
    event BLOB NOT NULL,
    PRIMARY KEY (log, log_id, seq)
) STRICT;
