SELECT book(1, 1);
