#include "base/metrics.h"

#include <stddef.h>

#include "base/check.h"

/* The lists grow only at the head, so readers need no lock. */
static _Atomic(struct metric *) newest;
static _Atomic(struct histogram *) newest_histogram;

void metric_register(struct metric *metric)
{
    if (atomic_load_explicit(&metric->registered, memory_order_relaxed) != 0 ||
        atomic_exchange(&metric->registered, 1) != 0)
        return;
    struct metric *next = atomic_load(&newest);
    do {
        metric->next = next;
    } while (!atomic_compare_exchange_weak(&newest, &next, metric));
}

void metric_add(struct metric *metric, int64_t delta)
{
    atomic_fetch_add_explicit(&metric->value, delta, memory_order_relaxed);
}

void metric_set(struct metric *metric, int64_t value)
{
    atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

int64_t metric_get(struct metric *metric)
{
    return atomic_load_explicit(&metric->value, memory_order_relaxed);
}

struct metric *metrics_newest(void)
{
    return atomic_load(&newest);
}

void histogram_register(struct histogram *histogram)
{
    if (atomic_load_explicit(&histogram->registered, memory_order_relaxed) != 0 ||
        atomic_exchange(&histogram->registered, 1) != 0)
        return;
    struct histogram *next = atomic_load(&newest_histogram);
    do {
        histogram->next = next;
    } while (!atomic_compare_exchange_weak(&newest_histogram, &next, histogram));
}

int64_t histogram_bound(const struct histogram *histogram, int i)
{
    CHECK(i >= 0 && i < HISTOGRAM_BUCKETS);
    return histogram->first_bound << i;
}

void histogram_add(struct histogram *histogram, int64_t value)
{
    int i = 0;
    while (i < HISTOGRAM_BUCKETS && value > histogram_bound(histogram, i))
        i++;
    atomic_fetch_add_explicit(&histogram->counts[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum, value, memory_order_relaxed);
}

struct histogram *histograms_newest(void)
{
    return atomic_load(&newest_histogram);
}
