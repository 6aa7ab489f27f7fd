/* Shows a live view on the full screen with ANSI escape sequences. One view at a time, on the main thread. */
#ifndef SCREENING_CLI_TERMINAL_H
#define SCREENING_CLI_TERMINAL_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <termios.h>

struct terminal {
    struct termios before;
    sigset_t mask_before;
    bool keys; /* whether stdin is a terminal */
};

/*
 * Uses the whole screen of stdout, which must be a terminal. From now on SIGINT, SIGTERM and SIGHUP only end
 * terminal_wait. Call it before threads start, so that they inherit the blocked signals.
 */
void terminal_open(struct terminal *terminal);

/* Restores the screen. The signals stay blocked, because the run is about to end. */
void terminal_close(struct terminal *terminal);

/* Returns the number of lines on the screen, or 24 if it is unknown. */
size_t terminal_lines(void);

/*
 * Returns the width in columns of the terminal at stdout, or 0 if stdout is not a terminal or the width is
 * unknown.
 */
size_t terminal_columns(void);

/*
 * Replaces the contents of the screen with `text`, whose lines end with \n. Omits the lines that do not fit.
 */
void terminal_show(const char *text);

enum terminal_key {
    TERMINAL_NONE, /* no key in time */
    TERMINAL_UP,   /* the arrow key, or k */
    TERMINAL_DOWN, /* the arrow key, or j */
    TERMINAL_QUIT  /* q, Ctrl-C, a signal, or a closed terminal */
};

/* Waits up to `wait_ms` for a key or one of the signals. Returns TERMINAL_NONE if there is none. */
enum terminal_key terminal_wait(const struct terminal *terminal, uint32_t wait_ms);

#endif
