/* Full-screen display for a live view: plain ANSI. One at a time, main thread. */
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
    bool keys; /* stdin is a terminal */
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

/* Returns the width of the terminal at stdout; 0 if it is none or the width is unknown. */
size_t terminal_columns(void);

/* Replaces the screen with `text`, lines that end with \n; cuts off the part that does not fit. */
void terminal_show(const char *text);

enum terminal_key {
    TERMINAL_NONE, /* timeout */
    TERMINAL_UP,   /* arrow, or k */
    TERMINAL_DOWN, /* arrow, or j */
    TERMINAL_QUIT  /* q, Ctrl-C, a signal, or the terminal was closed */
};

/* Waits up to `wait_ms` for a key. */
enum terminal_key terminal_wait(const struct terminal *terminal, uint32_t wait_ms);

#endif
