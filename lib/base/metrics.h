/*
 * Counters, gauges and histograms of the process, read by Introspection.Stats and by /metrics. A metric is an
 * object that lives as long as the process and belongs to the module that counts; registering it makes it
 * visible. Counting takes no lock and no memory. All functions may be called from any thread.
 */
#ifndef SCREENING_BASE_METRICS_H
#define SCREENING_BASE_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

struct metric {
    const char *name; /* "writer_commits_total"; counters end in _total, units stand in the name */
    const char *help;
    const char *labels; /* "log=\"booking\"", as Prometheus writes them; NULL = none */
    double unit;        /* a value of 1, as it is shown: 1e-3 for milliseconds shown as seconds; 0 = 1 */
    _Atomic int64_t value;
    _Atomic int registered;
    struct metric *next; /* registered before this one; NULL = none */
};

#define METRIC(metric_name, metric_help)                                                                     \
    {                                                                                                        \
        .name = (metric_name), .help = (metric_help)                                                         \
    }

/* One of a family: metrics of the same name and help that differ in their labels. */
#define METRIC_LABELLED(metric_name, metric_help, metric_labels)                                             \
    {                                                                                                        \
        .name = (metric_name), .help = (metric_help), .labels = (metric_labels)                              \
    }

/* One that counts in another unit than its name says. */
#define METRIC_IN_UNIT(metric_name, metric_help, metric_labels, shown_unit)                                  \
    {                                                                                                        \
        .name = (metric_name), .help = (metric_help), .labels = (metric_labels), .unit = (shown_unit)        \
    }

/* Makes the metric visible; again: nothing. The metric must live as long as the process. */
void metric_register(struct metric *metric);

void metric_add(struct metric *metric, int64_t delta);
void metric_set(struct metric *metric, int64_t value);
int64_t metric_get(struct metric *metric);

/*
 * The metric that was registered last, the head of the list by `next`; NULL = none. One that is registered
 * later is not in the list from there: who walks it twice keeps the head.
 */
struct metric *metrics_newest(void);

/*
 * How often a value fell into each of HISTOGRAM_BUCKETS ranges: the first ends at `first_bound`, each further
 * one at twice the bound before it; what is greater than the last bound is counted behind it.
 */
enum { HISTOGRAM_BUCKETS = 18 };

struct histogram {
    const char *name; /* the unit it is shown in stands in the name */
    const char *help;
    const char *labels; /* as a metric's */
    int64_t first_bound;
    double unit; /* a value of 1, as it is shown: 1e-6 for microseconds shown as seconds */
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

/* The upper bound of bucket `i` < HISTOGRAM_BUCKETS, which belongs to it. */
int64_t histogram_bound(const struct histogram *histogram, int i);

/* The same for histograms. */
struct histogram *histograms_newest(void);

#endif
