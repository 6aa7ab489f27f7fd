/* The whole screen of a terminal, for a view that lives: plain ANSI. One at a time, main thread. */
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
 * Takes over the screen of stdout, which must be a terminal. From here on SIGINT, SIGTERM and SIGHUP only end
 * terminal_wait: call it before threads start, which then leave them alone too.
 */
void terminal_open(struct terminal *terminal);

/* Gives the screen back as it was. The signals stay with us: the run is at its end. */
void terminal_close(struct terminal *terminal);

/* Lines that fit on the screen now. */
size_t terminal_lines(void);

/* Columns of the terminal that stdout is; 0 if it is none or does not know. */
size_t terminal_columns(void);

/* Shows `text`, lines that end with \n, in place of what was there; what does not fit is cut off. */
void terminal_show(const char *text);

enum terminal_key {
    TERMINAL_NONE, /* time is over */
    TERMINAL_UP,   /* arrow, or k */
    TERMINAL_DOWN, /* arrow, or j */
    TERMINAL_QUIT  /* q, Ctrl-C, a signal, or the terminal is gone */
};

/* Waits so long for a key. */
enum terminal_key terminal_wait(const struct terminal *terminal, uint32_t wait_ms);

#endif
