/* The options of the caller of screening-bench. */
#ifndef SCREENING_BENCH_ARGUMENTS_H
#define SCREENING_BENCH_ARGUMENTS_H

#include "mix.h"
#include "watch.h"

enum { CONNECTIONS_MAX = 64 };

struct arguments {
    const struct mix *mix;
    double in_flight, rate, seconds, count, warm_up, budget_ms, days, places, connections;
    struct watch watch;
    const char *json; /* NULL = none */
    const char *hospital, *booking;
};

/* Parses the arguments. If they are wrong, prints a line on stderr and ends the process with exit code 2. */
void arguments_read(int argc, char **argv, struct arguments *arguments);

#endif
