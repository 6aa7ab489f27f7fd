/* Shows a line on a terminal while a response is slow, so that the wait does not look like a hang. */
#ifndef SCREENING_CLI_PATIENCE_H
#define SCREENING_CLI_PATIENCE_H

/*
 * Starts a timer if stderr is a terminal. After one second, a line on stderr says that screenctl waits for
 * `program`. Main thread; not nested.
 */
void patience_begin(const char *program);

/* Stops the timer and removes the line if it is shown. */
void patience_end(void);

/* Prints nothing from now on. For a full-screen view. */
void patience_off(void);

#endif
