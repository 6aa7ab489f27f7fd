/*
 * Counters, gauges and histograms of the process, read by Introspection.Stats and by /metrics. A metric
 * belongs to the module that updates it, lives as long as the process, and is visible once registered.
 * Counting neither locks nor allocates. All functions may be called from any thread.
 */
#ifndef SCREENING_BASE_METRICS_H
#define SCREENING_BASE_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

struct metric {
    const char *name; /* such as "writer_commits_total"; includes the unit; a counter's name ends in _total */
    const char *help;
    const char *labels; /* in Prometheus syntax, such as "log=\"booking\""; NULL = none */
    double unit;        /* factor for display: 1e-3 to show milliseconds as seconds; 0 = 1 */
    _Atomic int64_t value;
    _Atomic int registered;
    struct metric *next; /* the one registered before; NULL = none */
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
 * is none. Metrics registered later are not reachable from this one, so keep the result to walk the same list
 * again.
 */
struct metric *metrics_newest(void);

/*
 * Counts values by range. The first of the HISTOGRAM_BUCKETS ranges ends at `first_bound`, and every further
 * range at twice the bound of the previous one. One extra counter is for values above the last bound.
 */
enum { HISTOGRAM_BUCKETS = 18 };

struct histogram {
    const char *name; /* includes the displayed unit */
    const char *help;
    const char *labels; /* as in struct metric */
    int64_t first_bound;
    double unit; /* factor for display: 1e-6 to show microseconds as seconds */
    _Atomic int64_t counts[HISTOGRAM_BUCKETS + 1];
    _Atomic int64_t sum;
    _Atomic int registered;
    struct histogram *next; /* the one registered before; NULL = none */
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
