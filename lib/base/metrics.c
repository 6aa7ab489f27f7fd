#include "base/metrics.h"

#include <stddef.h>

/* A list that only grows, at its head: readers need no lock. */
static _Atomic(struct metric *) newest;

void metric_register(struct metric *metric)
{
    if (atomic_exchange(&metric->registered, 1) != 0) {
        return;
    }
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

void metrics_visit(void (*visit)(void *context, const struct metric *metric, int64_t value), void *context)
{
    for (struct metric *metric = atomic_load(&newest); metric != NULL; metric = metric->next) {
        visit(context, metric, metric_get(metric));
    }
}
