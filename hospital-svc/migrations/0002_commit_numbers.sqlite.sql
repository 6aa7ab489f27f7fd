-- In which commit each place was taken and freed and each capacity set, so that a day's story can be replayed. Commits
-- that change days or reservations count from 1; what was there before the counting began has commit 0.
CREATE TABLE commit_counter (
    only_row  INTEGER PRIMARY KEY CHECK (only_row = 1),
    commit_no INTEGER NOT NULL
);
INSERT INTO commit_counter (only_row, commit_no) VALUES (1, 0);

ALTER TABLE reservation ADD COLUMN taken_commit INTEGER DEFAULT 0; -- NULL: never taken (a tombstone)
ALTER TABLE reservation ADD COLUMN released_commit INTEGER; -- NULL: not released
UPDATE reservation SET taken_commit = CASE WHEN state = 3 THEN NULL ELSE 0 END, released_commit = 0 WHERE state <> 1;

CREATE TABLE capacity_change (
    hospital_id BLOB NOT NULL,
    date        TEXT NOT NULL,
    version     INTEGER NOT NULL, -- of the day
    capacity    INTEGER NOT NULL,
    commit_no   INTEGER NOT NULL,
    PRIMARY KEY (hospital_id, date, version)
) WITHOUT ROWID;
INSERT INTO capacity_change (hospital_id, date, version, capacity, commit_no)
    SELECT hospital_id, date, version, capacity, 0 FROM screening_day;
