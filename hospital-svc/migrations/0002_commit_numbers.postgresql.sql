-- In which commit each place was taken and freed and each capacity set, so that a day's story can be replayed. Commits
-- that change days or reservations count from 1; what was there before the counting began has commit 0.
CREATE TABLE commit_counter (
    only_row  smallint PRIMARY KEY CHECK (only_row = 1),
    commit_no bigint NOT NULL
);
INSERT INTO commit_counter (only_row, commit_no) VALUES (1, 0);

ALTER TABLE reservation ADD COLUMN taken_commit bigint DEFAULT 0; -- NULL: never taken (a tombstone)
ALTER TABLE reservation ADD COLUMN released_commit bigint; -- NULL: not released
UPDATE reservation SET taken_commit = CASE WHEN state = 3 THEN NULL ELSE 0 END, released_commit = 0 WHERE state <> 1;

CREATE TABLE capacity_change (
    hospital_id uuid NOT NULL,
    date        date NOT NULL,
    version     bigint NOT NULL, -- of the day
    capacity    integer NOT NULL,
    commit_no   bigint NOT NULL,
    PRIMARY KEY (hospital_id, date, version)
);
INSERT INTO capacity_change (hospital_id, date, version, capacity, commit_no)
    SELECT hospital_id, date, version, capacity, 0 FROM screening_day;
