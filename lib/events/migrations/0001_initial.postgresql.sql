CREATE TABLE event_log_head (
    only_row int2 PRIMARY KEY CHECK (only_row = 1),
    log_id uuid NOT NULL,
    head_seq int8 NOT NULL,
    head_event_id uuid NOT NULL -- all zero before the first event
);

-- `event` is the packed screening.v1.Event with its seq, so that it is served as it lies here.
CREATE TABLE event_log (
    seq int8 PRIMARY KEY,
    event_id uuid NOT NULL,
    type text NOT NULL,
    occurred_at_us int8 NOT NULL,
    event bytea NOT NULL
);

-- How far this service has applied the log of another.
CREATE TABLE event_cursor (
    log text PRIMARY KEY,
    log_id uuid NOT NULL,
    seq int8 NOT NULL,
    event_id uuid NOT NULL
);

CREATE TABLE dead_letter (
    log text NOT NULL,
    log_id uuid NOT NULL,
    seq int8 NOT NULL,
    event_id uuid NOT NULL,
    type text NOT NULL,
    reason text NOT NULL,
    stored_at_us int8 NOT NULL,
    event bytea NOT NULL,
    PRIMARY KEY (log, log_id, seq)
);
