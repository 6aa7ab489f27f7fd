#include "latency.h"

/*
 * Returns the index at which a value is counted. A value below LATENCY_STEPS is its own index. Above that,
 * each doubling has LATENCY_STEPS indexes.
 */
static unsigned index_of(uint64_t value)
{
    if (value < LATENCY_STEPS)
        return (unsigned)value;
    unsigned doublings = (unsigned)(63 - __builtin_clzll(value)) - LATENCY_STEP_BITS;
    return (doublings + 1) * LATENCY_STEPS + (unsigned)(value >> doublings) - LATENCY_STEPS;
}

/* Returns the greatest value that is counted at `index`. */
static int64_t greatest_at(unsigned index)
{
    if (index < LATENCY_STEPS)
        return index;
    unsigned doublings = index / LATENCY_STEPS - 1;
    uint64_t step = index % LATENCY_STEPS + LATENCY_STEPS;
    return (int64_t)(((step + 1) << doublings) - 1);
}

void latency_add(struct latency *latency, int64_t us)
{
    const int64_t longest_us = ((int64_t)1 << LATENCY_VALUE_BITS) - 1;
    int64_t value = us < 0 ? 0 : us > longest_us ? longest_us : us;
    latency->counts[index_of((uint64_t)value)]++;
    latency->total++;
    latency->sum_us += value;
    if (value > latency->max_us)
        latency->max_us = value;
}

int64_t latency_quantile(const struct latency *latency, double share)
{
    double wanted = share * (double)latency->total;
    uint64_t passed = 0;
    for (unsigned i = 0; i < LATENCY_COUNTS; i++) {
        passed += latency->counts[i];
        if (passed > 0 && (double)passed >= wanted)
            return greatest_at(i) < latency->max_us ? greatest_at(i) : latency->max_us;
    }
    return latency->max_us;
}

double latency_mean(const struct latency *latency)
{
    return latency->total > 0 ? (double)latency->sum_us / (double)latency->total : 0;
}
