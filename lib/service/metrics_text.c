#include "service/metrics_text.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/metrics.h"

/* What is to be written; each list sorted, so that a family stands together. */
struct page {
    const struct metric **metrics;
    size_t metric_count, metric_capacity;
    struct histogram **histograms;
    size_t histogram_count, histogram_capacity;
};

static void count_metric(void *context, const struct metric *metric, int64_t value)
{
    (void)metric;
    (void)value;
    ((struct page *)context)->metric_capacity++;
}

/* One registered since they were counted is left for the next time. */
static void take_metric(void *context, const struct metric *metric, int64_t value)
{
    struct page *page = context;
    (void)value;
    if (page->metric_count < page->metric_capacity) {
        page->metrics[page->metric_count++] = metric;
    }
}

static void count_histogram(void *context, struct histogram *histogram)
{
    (void)histogram;
    ((struct page *)context)->histogram_capacity++;
}

static void take_histogram(void *context, struct histogram *histogram)
{
    struct page *page = context;
    if (page->histogram_count < page->histogram_capacity) {
        page->histograms[page->histogram_count++] = histogram;
    }
}

static int compare(const char *name_a, const char *labels_a, const char *name_b, const char *labels_b)
{
    int order = strcmp(name_a, name_b);
    return order != 0 ? order : strcmp(labels_a != NULL ? labels_a : "", labels_b != NULL ? labels_b : "");
}

static int compare_metrics(const void *left, const void *right)
{
    const struct metric *a = *(const struct metric *const *)left, *b = *(const struct metric *const *)right;
    return compare(a->name, a->labels, b->name, b->labels);
}

static int compare_histograms(const void *left, const void *right)
{
    const struct histogram *a = *(struct histogram *const *)left, *b = *(struct histogram *const *)right;
    return compare(a->name, a->labels, b->name, b->labels);
}

static bool ends_in_total(const char *name)
{
    static const char END[] = "_total";
    size_t length = strlen(name);
    return length >= sizeof END - 1 && strcmp(name + length - (sizeof END - 1), END) == 0;
}

/* HELP and TYPE, if `name` begins a family. */
static void write_head(FILE *out, const char *name, const char *help, const char *type, const char *before)
{
    if (before == NULL || strcmp(before, name) != 0) {
        fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
    }
}

static void write_metric(FILE *out, const struct metric *metric, const char *before)
{
    const char *labels = metric->labels;
    write_head(out, metric->name, metric->help, ends_in_total(metric->name) ? "counter" : "gauge", before);
    int64_t value = atomic_load_explicit(&metric->value, memory_order_relaxed);
    fprintf(out, "%s%s%s%s ", metric->name, labels != NULL ? "{" : "", labels != NULL ? labels : "",
            labels != NULL ? "}" : "");
    if (metric->unit != 0) {
        fprintf(out, "%.15g\n", (double)value * metric->unit);
    } else {
        fprintf(out, "%" PRId64 "\n", value);
    }
}

/* The count is the sum of the buckets as they were read, so that both always agree. */
static void write_histogram(FILE *out, struct histogram *histogram, const char *before)
{
    const char *name = histogram->name, *labels = histogram->labels != NULL ? histogram->labels : "";
    const char *comma = labels[0] != '\0' ? "," : "", *open = labels[0] != '\0' ? "{" : "",
               *close = labels[0] != '\0' ? "}" : "";
    int64_t count = 0;
    write_head(out, name, histogram->help, "histogram", before);
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        count += atomic_load_explicit(&histogram->counts[i], memory_order_relaxed);
        fprintf(out, "%s_bucket{%s%sle=\"%.9g\"} %" PRId64 "\n", name, labels, comma,
                (double)histogram_bound(histogram, i) * histogram->unit, count);
    }
    count += atomic_load_explicit(&histogram->counts[HISTOGRAM_BUCKETS], memory_order_relaxed);
    fprintf(out, "%s_bucket{%s%sle=\"+Inf\"} %" PRId64 "\n", name, labels, comma, count);
    fprintf(out, "%s_sum%s%s%s %.9g\n", name, open, labels, close,
            (double)atomic_load_explicit(&histogram->sum, memory_order_relaxed) * histogram->unit);
    fprintf(out, "%s_count%s%s%s %" PRId64 "\n", name, open, labels, close, count);
}

enum status metrics_text_write(FILE *out)
{
    struct page page = {.metric_count = 0};
    metrics_visit(count_metric, &page);
    histograms_visit(count_histogram, &page);
    page.metrics = calloc(page.metric_capacity + 1, sizeof(struct metric *));
    page.histograms = calloc(page.histogram_capacity + 1, sizeof(struct histogram *));
    enum status status = STATUS_RESOURCE_EXHAUSTED;
    if (page.metrics != NULL && page.histograms != NULL) {
        metrics_visit(take_metric, &page);
        histograms_visit(take_histogram, &page);
        qsort(page.metrics, page.metric_count, sizeof page.metrics[0], compare_metrics);
        qsort(page.histograms, page.histogram_count, sizeof page.histograms[0], compare_histograms);
        for (size_t i = 0; i < page.metric_count; i++) {
            write_metric(out, page.metrics[i], i > 0 ? page.metrics[i - 1]->name : NULL);
        }
        for (size_t i = 0; i < page.histogram_count; i++) {
            write_histogram(out, page.histograms[i], i > 0 ? page.histograms[i - 1]->name : NULL);
        }
        status = STATUS_OK;
    }
    free(page.histograms);
    free(page.metrics);
    return status;
}
