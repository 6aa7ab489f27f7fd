/* A line on a terminal while an answer takes long: so that nobody takes the wait for a hang. */
#ifndef SCREENING_CLI_PATIENCE_H
#define SCREENING_CLI_PATIENCE_H

/* From here on, once a second has passed, stderr says that `program` is waited for, if it is a terminal. Main
 * thread; not nested. */
void patience_begin(const char *program);

/* Removes the line, if it is there. */
void patience_end(void);

/* For a view that has the terminal to itself: says nothing from now on. */
void patience_off(void);

#endif
