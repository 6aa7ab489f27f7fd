/* A progress bar on stderr. The functions print nothing if stderr is not a terminal. One thread. */
#ifndef SCREENING_CLI_PROGRESS_H
#define SCREENING_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
    size_t total;
    size_t done;
    int64_t draw_at_ns; /* time of the next redraw; redrawing at every step would be slow */
    bool on;            /* whether the bar is shown */
};

void progress_begin(struct progress *progress, size_t total);

/* Counts one more step. */
void progress_step(struct progress *progress);

/* Clears the bar. Call it before other output on stderr and at the end. The next step redraws it. */
void progress_clear(struct progress *progress);

#endif
