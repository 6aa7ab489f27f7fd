/*
 * Counters and gauges of the process, read by Introspection.Stats. A metric is a static object of the module
 * that counts; registering it makes it visible. All functions may be called from any thread.
 */
#ifndef SCREENING_BASE_METRICS_H
#define SCREENING_BASE_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

struct metric {
    const char *name; /* "writer_commits_total"; counters end in _total, units stand in the name */
    const char *help;
    _Atomic int64_t value;
    _Atomic int registered;
    struct metric *next; /* the registry's own */
};

#define METRIC(metric_name, metric_help)                                                                     \
    {                                                                                                        \
        .name = (metric_name), .help = (metric_help)                                                         \
    }

/* Makes the metric visible; again: nothing. The metric must live as long as the process. */
void metric_register(struct metric *metric);

void metric_add(struct metric *metric, int64_t delta);
void metric_set(struct metric *metric, int64_t value);
int64_t metric_get(struct metric *metric);

/* Calls `visit` for every registered metric. */
void metrics_visit(void (*visit)(void *context, const struct metric *metric, int64_t value), void *context);

#endif
