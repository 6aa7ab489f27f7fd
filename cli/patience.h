/* Shows a line on a terminal while a response is slow, so that the wait does not look like a hang. */
#ifndef SCREENING_CLI_PATIENCE_H
#define SCREENING_CLI_PATIENCE_H

/*
 * Starts a timer if stderr is a terminal. After one second, prints on stderr that screenctl is waiting for
 * `program`. Call it on the main thread. Calls must not nest.
 */
void patience_begin(const char *program);

/* Stops the timer and removes the line if it is shown. */
void patience_end(void);

/* Makes patience_begin do nothing from now on. Call it before showing a full-screen view. */
void patience_off(void);

#endif
