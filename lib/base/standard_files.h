/* File descriptors 0, 1 and 2: a program that was started without them must not give them to a socket. */
#ifndef SCREENING_BASE_STANDARD_FILES_H
#define SCREENING_BASE_STANDARD_FILES_H

/*
 * Opens each of the file descriptors 0, 1 and 2 that is closed on /dev/null. Otherwise the next socket or
 * database file would get that number, and log lines would be written into it. They stay open over exec.
 * First statement of every main. Ends the process with exit code 2 if /dev/null cannot be opened.
 */
void standard_files_open(void);

#endif
