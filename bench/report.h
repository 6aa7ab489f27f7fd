/* The figures of a run, for people and for programs. */
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

/* Prints a readable table on stdout. */
void report_print(const struct report *report);

/* Writes the figures as JSON to the file at `path`. Returns false after a line on stderr with the reason. */
bool report_save(const struct report *report, const char *path);

#endif
