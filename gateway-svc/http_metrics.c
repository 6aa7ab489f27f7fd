/* Families are created on first use. The number of routes is fixed, and there are few codes. */
#include "http_metrics.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/metrics.h"

enum { ROUTE_SIZE = 96, LABELS_SIZE = 192, CODE_SIZE = 24, FIRST_BOUND_US = 64, CODES_MAX = 32 };

/* The answers of one route and method. */
struct route_metrics {
    struct route_metrics *next;
    const char *method;
    char route[ROUTE_SIZE];
    struct histogram seconds;
    char labels[LABELS_SIZE];
    struct code_metric {
        unsigned code;
        struct metric answers;
        char labels[LABELS_SIZE + CODE_SIZE];
    } codes[CODES_MAX];
    size_t code_count;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards the lists, not the counters */
static struct route_metrics *known;

static const char *method_label(const char *method)
{
    static const char *const METHODS[] = {"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"};
    for (size_t i = 0; i < sizeof METHODS / sizeof METHODS[0]; i++)
        if (strcmp(method, METHODS[i]) == 0)
            return METHODS[i];
    return "other";
}

/* Finds or adds the metrics of a route. Returns NULL when out of memory. */
static struct route_metrics *find_route(const char *route, const char *method)
{
    struct route_metrics *found = known;
    while (found != NULL && (found->method != method || strcmp(found->route, route) != 0))
        found = found->next;
    if (found != NULL || (found = calloc(1, sizeof *found)) == NULL)
        return found;
    found->method = method;
    (void)snprintf(found->route, sizeof found->route, "%s", route);
    (void)snprintf(found->labels, sizeof found->labels, "method=\"%s\",route=\"%s\"", method, route);
    found->seconds = (struct histogram)HISTOGRAM("http_request_seconds",
                                                 "From a request's head to its answer", FIRST_BOUND_US, 1e-6);
    found->seconds.labels = found->labels;
    found->next = known;
    known = found;
    return found;
}

/* Finds or adds the metric of a code. Returns NULL beyond CODES_MAX. */
static struct metric *find_code(struct route_metrics *route, unsigned code)
{
    for (size_t i = 0; i < route->code_count; i++)
        if (route->codes[i].code == code)
            return &route->codes[i].answers;
    if (route->code_count == CODES_MAX)
        return NULL;
    struct code_metric *made = &route->codes[route->code_count++];
    made->code = code;
    (void)snprintf(made->labels, sizeof made->labels, "%s,code=\"%u\"", route->labels, code);
    made->answers =
        (struct metric)METRIC_LABELLED("http_requests_total", "Requests answered over HTTP", made->labels);
    metric_register(&made->answers);
    return &made->answers;
}

void http_metrics_count(const char *route, const char *method, unsigned code, int64_t took_ns)
{
    struct metric *answers = NULL;
    (void)pthread_mutex_lock(&mutex);
    struct route_metrics *found = find_route(route != NULL ? route : "none", method_label(method));
    if (found != NULL)
        answers = find_code(found, code);
    (void)pthread_mutex_unlock(&mutex);
    if (answers != NULL)
        metric_add(answers, 1);
    if (found != NULL && took_ns >= 0) {
        histogram_register(&found->seconds);
        histogram_add(&found->seconds, took_ns / NS_PER_US);
    }
}
