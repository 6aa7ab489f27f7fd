/*
 * A log-linear histogram of times in microseconds, like an HDR histogram. It is exact up to LATENCY_STEPS.
 * Beyond that it has LATENCY_STEPS equal steps per doubling, so that a quantile is at most 1/LATENCY_STEPS
 * too high for any value. Not thread-safe.
 */
#ifndef SCREENING_BENCH_LATENCY_H
#define SCREENING_BENCH_LATENCY_H

#include <stdint.h>

enum {
    LATENCY_STEP_BITS = 6,
    LATENCY_STEPS = 1 << LATENCY_STEP_BITS,
    LATENCY_VALUE_BITS = 32, /* 71 minutes; longer times are counted as this */
    LATENCY_COUNTS = (LATENCY_VALUE_BITS - LATENCY_STEP_BITS + 1) * LATENCY_STEPS,
};

struct latency {
    uint64_t counts[LATENCY_COUNTS];
    uint64_t total;
    int64_t max_us; /* exact, not rounded */
    int64_t sum_us;
};

/* Counts one time. A negative one (clocks read in the wrong order) counts as 0. */
void latency_add(struct latency *latency, int64_t us);

/*
 * Returns the time that `share` (0..1) of all counted times do not exceed, rounded up to its step and at most
 * max_us. Returns 0 when nothing was counted.
 */
int64_t latency_quantile(const struct latency *latency, double share);

/* Returns the mean, or 0 when nothing was counted. */
double latency_mean(const struct latency *latency);

#endif
