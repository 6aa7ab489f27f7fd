\set day random(1, 1000)
SELECT book(:day, 1);
