/*
 * Counters, gauges and histograms of the process, read by Introspection.Stats and by /metrics. A metric is an
 * object of the module that counts. It lives as long as the process and is visible once registered. Counting
 * neither locks nor allocates. All functions may be called from any thread.
 */
#ifndef SCREENING_BASE_METRICS_H
#define SCREENING_BASE_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

struct metric {
    const char *name; /* "writer_commits_total"; counters end in _total; the name includes the unit */
    const char *help;
    const char *labels; /* "log=\"booking\"", in Prometheus syntax; NULL = none */
    double unit;        /* scale on display: 1e-3 for milliseconds shown as seconds; 0 = 1 */
    _Atomic int64_t value;
    _Atomic int registered;
    struct metric *next; /* registered before this one; NULL = none */
};

#define METRIC(metric_name, metric_help)                                                                     \
    {                                                                                                        \
        .name = (metric_name), .help = (metric_help)                                                         \
    }

/* A member of a family: metrics with the same name and help but different labels. */
#define METRIC_LABELLED(metric_name, metric_help, metric_labels)                                             \
    {                                                                                                        \
        .name = (metric_name), .help = (metric_help), .labels = (metric_labels)                              \
    }

/* A metric that counts in a different unit from the one in its name. */
#define METRIC_IN_UNIT(metric_name, metric_help, metric_labels, shown_unit)                                  \
    {                                                                                                        \
        .name = (metric_name), .help = (metric_help), .labels = (metric_labels), .unit = (shown_unit)        \
    }

/* Registers the metric, which must live as long as the process. Idempotent. */
void metric_register(struct metric *metric);

void metric_add(struct metric *metric, int64_t delta);
void metric_set(struct metric *metric, int64_t value);
int64_t metric_get(struct metric *metric);

/*
 * Returns the most recently registered metric, the head of the list linked by `next`. Returns NULL if there
 * is none. Metrics registered later are not reachable from it, so keep this head to walk the same list twice.
 */
struct metric *metrics_newest(void);

/*
 * Counts values by range. The first of HISTOGRAM_BUCKETS ranges ends at `first_bound`, each further one at
 * twice the previous bound. One extra count holds the values above the last bound.
 */
enum { HISTOGRAM_BUCKETS = 18 };

struct histogram {
    const char *name; /* includes the unit on display */
    const char *help;
    const char *labels; /* as in struct metric */
    int64_t first_bound;
    double unit; /* scale on display: 1e-6 for microseconds shown as seconds */
    _Atomic int64_t counts[HISTOGRAM_BUCKETS + 1];
    _Atomic int64_t sum;
    _Atomic int registered;
    struct histogram *next; /* registered before this one; NULL = none */
};

#define HISTOGRAM(histogram_name, histogram_help, bound, shown_unit)                                         \
    {                                                                                                        \
        .name = (histogram_name), .help = (histogram_help), .first_bound = (bound), .unit = (shown_unit)     \
    }

void histogram_register(struct histogram *histogram);
void histogram_add(struct histogram *histogram, int64_t value);

/* Returns the inclusive upper bound of bucket `i` < HISTOGRAM_BUCKETS. */
int64_t histogram_bound(const struct histogram *histogram, int i);

/* Like metrics_newest. */
struct histogram *histograms_newest(void);

#endif
