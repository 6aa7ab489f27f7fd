/* Shows a line on a terminal while a response is slow, so that the wait does not look like a hang. */
#ifndef SCREENING_CLI_PATIENCE_H
#define SCREENING_CLI_PATIENCE_H

/*
 * If stderr is a terminal, starts a timer: after one second, a line on stderr says that screenctl waits for
 * `program`. Main thread; not nested.
 */
void patience_begin(const char *program);

/* Stops the timer and removes the line if it is shown. */
void patience_end(void);

/* For a full-screen view: prints nothing from now on. */
void patience_off(void);

#endif
