-- The timeline by month of occurred_at (UTC): a month is made by the first entry that falls into it. There is no partition for
-- the rest, since every entry has a month, and since finding entries that once fell into it would block readers.

ALTER TABLE timeline_entry RENAME TO timeline_entry_before;
ALTER TABLE timeline_entry_before RENAME CONSTRAINT timeline_entry_pkey TO timeline_entry_before_pkey;

-- Every event of every booking. An event is of one booking, version and instant, so that the key holds it once.
CREATE TABLE timeline_entry (
    booking_id     uuid     NOT NULL,
    version        bigint   NOT NULL,
    event_id       uuid     NOT NULL,
    status         smallint NOT NULL,
    reason         text     NOT NULL,
    occurred_at_us bigint   NOT NULL,
    source         text     NOT NULL, -- the log that told
    seq            bigint   NOT NULL,
    PRIMARY KEY (booking_id, version, event_id, occurred_at_us)
) PARTITION BY RANGE (occurred_at_us);

-- Makes the month of an instant if it is not there, and tells its bounds: from_us inclusive, to_us exclusive. The lock makes
-- several writers wait for each other; neither it nor ATTACH, unlike CREATE TABLE ... PARTITION OF, stops readers or inserts.
CREATE FUNCTION open_timeline_month(instant_us bigint, OUT from_us bigint, OUT to_us bigint) LANGUAGE plpgsql AS $$
DECLARE
    epoch CONSTANT date := '1970-01-01';
    day_us CONSTANT bigint := 86400000000;
    begins date := date_trunc('month', (epoch + floor(instant_us::numeric / day_us)::integer)::timestamp);
    name text := 'timeline_entry_' || to_char(begins, 'YYYY_MM');
BEGIN
    from_us := (begins - epoch) * day_us;
    to_us := ((begins + interval '1 month')::date - epoch) * day_us;
    IF to_regclass(name) IS NOT NULL THEN
        RETURN;
    END IF;
    LOCK TABLE timeline_entry IN SHARE UPDATE EXCLUSIVE MODE;
    IF to_regclass(name) IS NULL THEN
        EXECUTE format('CREATE TABLE %I (LIKE timeline_entry INCLUDING INDEXES)', name);
        EXECUTE format('ALTER TABLE timeline_entry ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, from_us, to_us);
    END IF;
END $$;

SELECT open_timeline_month(instant_us)
    FROM (SELECT min(occurred_at_us) AS instant_us FROM timeline_entry_before
          GROUP BY floor(occurred_at_us::numeric / 86400000000)) AS days;
INSERT INTO timeline_entry SELECT * FROM timeline_entry_before;
DROP TABLE timeline_entry_before;
