-- Which command set a capacity: one that is decided again, because the answer of its COMMIT was lost, finds its own change.
ALTER TABLE capacity_change ADD COLUMN change_id BLOB; -- NULL: of a registration, or set before this column was there
