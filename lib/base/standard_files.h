/*
 * Prevents a program that was started without file descriptors 0, 1 and 2 from giving these numbers to
 * sockets.
 */
#ifndef SCREENING_BASE_STANDARD_FILES_H
#define SCREENING_BASE_STANDARD_FILES_H

/*
 * Opens /dev/null on each of the file descriptors 0, 1 and 2 that is closed. Otherwise the next socket or
 * database file could get such a number, and log lines would be written into it. The descriptors stay open
 * across exec. This must be the first statement of every main. Exits with code 2 if /dev/null cannot be
 * opened.
 */
void standard_files_open(void);

#endif
