-- What was found when the database had gone back, until an operator acknowledges it.
CREATE TABLE recovery (
    only_row   INTEGER PRIMARY KEY CHECK (only_row = 1),
    reinstated INTEGER NOT NULL, -- confirmed bookings that had no place here
    lost_from  INTEGER NOT NULL, -- events of our own log that booking-svc had applied and that are lost; 0 = none
    lost_to    INTEGER NOT NULL
);
INSERT INTO recovery (only_row, reinstated, lost_from, lost_to) VALUES (1, 0, 0, 0);
