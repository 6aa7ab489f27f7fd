/*
 * A log-linear histogram of times in microseconds, like an HDR histogram. Values below LATENCY_STEPS are
 * exact. Above that, each doubling has LATENCY_STEPS equal steps, so a quantile is too high by at most
 * 1/LATENCY_STEPS of its value. Not thread-safe.
 */
#ifndef SCREENING_BENCH_LATENCY_H
#define SCREENING_BENCH_LATENCY_H

#include <stdint.h>

enum {
    LATENCY_STEP_BITS = 6,
    LATENCY_STEPS = 1 << LATENCY_STEP_BITS,
    LATENCY_VALUE_BITS = 32, /* values up to 71 minutes; longer times are counted as the maximum */
    LATENCY_COUNTS = (LATENCY_VALUE_BITS - LATENCY_STEP_BITS + 1) * LATENCY_STEPS,
};

struct latency {
    uint64_t counts[LATENCY_COUNTS];
    uint64_t total;
    int64_t max_us; /* exact, not rounded */
    int64_t sum_us;
};

/* Counts the time `us`. A negative time (clocks read in the wrong order) counts as 0. */
void latency_add(struct latency *latency, int64_t us);

/*
 * Returns the quantile `share` (0..1) of the counted times in us, rounded up to its step but at most max_us.
 * Returns 0 if nothing has been counted.
 */
int64_t latency_quantile(const struct latency *latency, double share);

/* Returns the mean in us, or 0 if nothing has been counted. */
double latency_mean(const struct latency *latency);

#endif
