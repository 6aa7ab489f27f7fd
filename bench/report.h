/* Reports the figures of a run as tables and as JSON. */
#ifndef SCREENING_BENCH_REPORT_H
#define SCREENING_BENCH_REPORT_H

#include "load.h"
#include "stage.h"
#include "tally.h"

#include <stdbool.h>

struct report {
    const struct load_options *options;
    const struct load_result *result;
    const struct tally *tally;
    const struct stage_check *check;
};

/* Prints the figures as tables on stdout. */
void report_print(const struct report *report);

/* Writes the figures as JSON to the file `path`. On failure, prints an error and returns false. */
bool report_save(const struct report *report, const char *path);

#endif
