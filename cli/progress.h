/* A progress bar on stderr, where that is a terminal; else nothing. One thread. */
#ifndef SCREENING_CLI_PROGRESS_H
#define SCREENING_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
    size_t total;
    size_t done;
    int64_t draw_at_ns; /* not at every step: terminals are slow */
    bool on;            /* stderr is a terminal */
};

void progress_begin(struct progress *progress, size_t total);

/* One more is done. */
void progress_step(struct progress *progress);

/* Clears the bar's line, for other lines on stderr and at the end; the next step draws it again. */
void progress_clear(struct progress *progress);

#endif
