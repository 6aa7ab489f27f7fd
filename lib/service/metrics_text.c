#include "service/metrics_text.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/metrics.h"

static int compare(const char *name_a, const char *labels_a, const char *name_b, const char *labels_b)
{
    int order = strcmp(name_a, name_b);
    return order != 0 ? order : strcmp(labels_a != NULL ? labels_a : "", labels_b != NULL ? labels_b : "");
}

static int compare_metrics(const void *left, const void *right)
{
    const struct metric *a = *(struct metric *const *)left, *b = *(struct metric *const *)right;
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

/* Writes HELP and TYPE if `name` begins a family, that is, differs from the preceding name `before`. */
static void write_head(FILE *out, const char *name, const char *help, const char *type, const char *before)
{
    if (before == NULL || strcmp(before, name) != 0)
        fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_metric(FILE *out, struct metric *metric, const char *before)
{
    const char *labels = metric->labels;
    write_head(out, metric->name, metric->help, ends_in_total(metric->name) ? "counter" : "gauge", before);
    int64_t value = metric_get(metric);
    fprintf(out, "%s%s%s%s ", metric->name, labels != NULL ? "{" : "", labels != NULL ? labels : "",
            labels != NULL ? "}" : "");
    if (metric->unit != 0)
        fprintf(out, "%.15g\n", (double)value * metric->unit);
    else
        fprintf(out, "%" PRId64 "\n", value);
}

/* Computes the count from the buckets that it writes, so that the two always agree. */
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

/*
 * Writes the metrics sorted by name, because each family must be contiguous. Returns false when out of
 * memory.
 */
static bool write_metrics(FILE *out)
{
    struct metric *newest = metrics_newest();
    size_t count = 0;
    for (struct metric *metric = newest; metric != NULL; metric = metric->next)
        count++;
    struct metric **sorted = calloc(count + 1, sizeof(struct metric *));
    if (sorted == NULL)
        return false;
    size_t i = 0;
    for (struct metric *metric = newest; metric != NULL; metric = metric->next)
        sorted[i++] = metric;
    qsort(sorted, count, sizeof sorted[0], compare_metrics);
    for (i = 0; i < count; i++)
        write_metric(out, sorted[i], i > 0 ? sorted[i - 1]->name : NULL);
    free(sorted);
    return true;
}

static bool write_histograms(FILE *out)
{
    struct histogram *newest = histograms_newest();
    size_t count = 0;
    for (struct histogram *histogram = newest; histogram != NULL; histogram = histogram->next)
        count++;
    struct histogram **sorted = calloc(count + 1, sizeof(struct histogram *));
    if (sorted == NULL)
        return false;
    size_t i = 0;
    for (struct histogram *histogram = newest; histogram != NULL; histogram = histogram->next)
        sorted[i++] = histogram;
    qsort(sorted, count, sizeof sorted[0], compare_histograms);
    for (i = 0; i < count; i++)
        write_histogram(out, sorted[i], i > 0 ? sorted[i - 1]->name : NULL);
    free(sorted);
    return true;
}

enum status metrics_text_write(FILE *out)
{
    return write_metrics(out) && write_histograms(out) ? STATUS_OK : STATUS_RESOURCE_EXHAUSTED;
}
