/* Full-screen display for a live view, in plain ANSI. One at a time, main thread. */
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
 * Takes over the screen at stdout, which must be a terminal. From then on SIGINT, SIGTERM and SIGHUP only end
 * terminal_wait. Call it before threads start, so that they inherit the blocked signals.
 */
void terminal_open(struct terminal *terminal);

/* Restores the screen. The signals stay blocked, because the run is about to end. */
void terminal_close(struct terminal *terminal);

/* Returns the number of lines on the screen. */
size_t terminal_lines(void);

/* Returns the width of the terminal at stdout. Returns 0 if stdout is no terminal or the width is unknown. */
size_t terminal_columns(void);

/* Replaces the screen with `text`, lines that end with \n. Cuts off the part that does not fit. */
void terminal_show(const char *text);

enum terminal_key {
    TERMINAL_NONE, /* no key in time */
    TERMINAL_UP,   /* the arrow key, or k */
    TERMINAL_DOWN, /* the arrow key, or j */
    TERMINAL_QUIT  /* q, Ctrl-C, a signal, or the terminal was closed */
};

/* Waits up to `wait_ms` for a key. */
enum terminal_key terminal_wait(const struct terminal *terminal, uint32_t wait_ms);

#endif
