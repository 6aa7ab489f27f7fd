#include "rpc/metrics.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

enum { FIRST_BOUND_US = 64 }; /* so that the last bound of a method's histogram is 8.4 s */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards the two lists, not the metrics */

/* ---- servers ---- */

struct rpc_server_metrics rpc_server_metrics = {
    .calls = METRIC("rpc_server_calls_total", "requests received"),
    .in_flight = METRIC("rpc_server_in_flight", "requests received and not yet answered"),
    .expired =
        METRIC("rpc_server_deadline_answers_total", "calls answered by the server when their budget ended"),
    .dropped = METRIC("rpc_server_late_answers_dropped_total",
                      "answers of handlers that came after the budget's end"),
    .not_taken =
        METRIC("rpc_server_answers_not_taken_total", "answers that their clients did not take in time"),
    .slots = METRIC("rpc_server_slots", "requests that the server could hold at once now"),
    .connections = METRIC("rpc_server_connections", "connections, also those being closed"),
};

void rpc_server_metrics_register(void)
{
    struct rpc_server_metrics *all = &rpc_server_metrics;
    metric_register(&all->calls);
    metric_register(&all->in_flight);
    metric_register(&all->expired);
    metric_register(&all->dropped);
    metric_register(&all->not_taken);
    metric_register(&all->slots);
    metric_register(&all->connections);
}

/* ---- methods ---- */

/* The metrics of one service or, if `descriptor` is NULL, of unknown methods. */
struct service {
    const ProtobufCServiceDescriptor *descriptor;
    struct service *next;
    struct arena labels;
    struct rpc_method_metrics methods[];
};

static struct service *services;

static bool init_method(struct rpc_method_metrics *method, struct arena *arena, const char *service,
                        const char *slash, const char *name)
{
    method->seconds = (struct histogram)HISTOGRAM(
        "rpc_server_call_seconds", "From a request's arrival to its answer", FIRST_BOUND_US, 1e-6);
    method->seconds.labels = arena_printf(arena, "method=\"%s%s%s\"", service, slash, name);
    bool complete = method->seconds.labels != NULL;
    for (int i = 0; i < STATUS_COUNT && complete; i++) {
        method->answers[i] =
            (struct metric)METRIC("rpc_server_answers_total", "Calls answered, by method and code");
        method->answers[i].labels = arena_printf(arena, "method=\"%s%s%s\",code=\"%s\"", service, slash, name,
                                                 status_name((enum status)i));
        complete = method->answers[i].labels != NULL;
    }
    return complete;
}

static bool init_methods(struct service *service)
{
    const ProtobufCServiceDescriptor *descriptor = service->descriptor;
    if (descriptor == NULL)
        return init_method(&service->methods[0], &service->labels, "unknown", "", "");
    for (unsigned i = 0; i < descriptor->n_methods; i++)
        if (!init_method(&service->methods[i], &service->labels, descriptor->name, "/",
                         descriptor->methods[i].name))
            return false;
    return true;
}

/* Adds the metrics of a service. Returns NULL when out of memory. Lock held. */
static struct service *add_service(const ProtobufCServiceDescriptor *descriptor)
{
    const size_t count = descriptor != NULL ? descriptor->n_methods : 1;
    struct service *service = calloc(1, sizeof *service + count * sizeof service->methods[0]);
    if (service == NULL)
        return NULL;
    service->descriptor = descriptor;
    arena_init(&service->labels);
    if (!init_methods(service)) {
        arena_fini(&service->labels);
        free(service);
        return NULL;
    }
    service->next = services;
    return services = service;
}

struct rpc_method_metrics *rpc_method_metrics_of(const ProtobufCServiceDescriptor *descriptor)
{
    pthread_mutex_lock(&mutex);
    struct service *service = services;
    while (service != NULL && service->descriptor != descriptor)
        service = service->next;
    if (service == NULL)
        service = add_service(descriptor);
    pthread_mutex_unlock(&mutex);
    return service != NULL ? service->methods : NULL;
}

void rpc_method_metrics_answered(struct rpc_method_metrics *method, enum status status, int64_t took_us)
{
    metric_register(&method->answers[status]);
    metric_add(&method->answers[status], 1);
    histogram_register(&method->seconds);
    histogram_add(&method->seconds, took_us);
}

/* ---- peers ---- */

struct peer {
    struct rpc_peer_metrics metrics;
    struct peer *next;
    struct arena names;
    const char *name;
};

static struct peer *peers;

static const struct rpc_peer_metrics NEW = {
    .breaker_state = METRIC("rpc_breaker_state", "0 = closed, 1 = half-open, 2 = open"),
    .breaker_opened = METRIC("rpc_breaker_opened_total", "Times that the breaker opened"),
    .breaker_half_opened = METRIC("rpc_breaker_half_opened_total", "Times that the breaker began to probe"),
    .breaker_closed = METRIC("rpc_breaker_closed_total", "Times that the breaker closed"),
    .refused_by_breaker = METRIC("rpc_calls_refused_by_breaker_total", "Calls not made: the breaker"),
    .refused_by_bulkhead =
        METRIC("rpc_calls_refused_by_bulkhead_total", "Calls not made: too many were in flight"),
    .retries = METRIC("rpc_retries_total", "Retries that the budget allowed"),
    .retries_refused = METRIC("rpc_retries_refused_total", "Retries that the budget put off or refused"),
    .in_flight = METRIC("rpc_calls_in_flight", "Calls sent and not yet answered"),
    .failovers = METRIC("rpc_failovers_total", "Calls sent to another backend at once"),
};

static void register_peer(struct rpc_peer_metrics *metrics, const char *labels)
{
    struct metric *all[] = {
        &metrics->breaker_state,  &metrics->breaker_opened,     &metrics->breaker_half_opened,
        &metrics->breaker_closed, &metrics->refused_by_breaker, &metrics->refused_by_bulkhead,
        &metrics->retries,        &metrics->retries_refused,    &metrics->in_flight,
        &metrics->failovers,
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        all[i]->labels = labels;
        metric_register(all[i]);
    }
}

/* Adds and registers the metrics of a peer. Returns NULL when out of memory. Lock held. */
static struct peer *add_peer(const char *name)
{
    struct peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL)
        return NULL;
    arena_init(&peer->names);
    const char *labels = arena_printf(&peer->names, "peer=\"%s\"", name);
    peer->name = arena_printf(&peer->names, "%s", name);
    if (labels == NULL || peer->name == NULL) {
        arena_fini(&peer->names);
        free(peer);
        return NULL;
    }
    memcpy(&peer->metrics, &NEW, sizeof NEW);
    register_peer(&peer->metrics, labels);
    peer->next = peers;
    return peers = peer;
}

struct rpc_peer_metrics *rpc_peer_metrics_of(const char *name)
{
    pthread_mutex_lock(&mutex);
    struct peer *peer = peers;
    while (peer != NULL && strcmp(peer->name, name) != 0)
        peer = peer->next;
    if (peer == NULL)
        peer = add_peer(name);
    pthread_mutex_unlock(&mutex);
    return peer != NULL ? &peer->metrics : NULL;
}

/* ---- backends ---- */

struct backend {
    struct rpc_backend_metrics metrics;
    struct backend *next;
    struct arena labels;
    const char *label;
};

static struct backend *backends;
static size_t backend_count;

static const struct rpc_backend_metrics NEW_BACKEND = {
    .connected = METRIC("rpc_backend_connected", "1 = connected to the backend"),
    .in_flight = METRIC("rpc_backend_in_flight", "Calls sent to the backend and not yet answered"),
    .ejected = METRIC("rpc_backend_ejected", "1 = ejected: it gets no call until it answers a health check"),
    .ejections = METRIC("rpc_backend_ejected_total", "Times that the backend was ejected"),
};

/* Replaces what must not occur in a label's value. */
static void clean(char *value)
{
    for (char *c = value; *c != '\0'; c++)
        if (*c == '"' || *c == '\\' || (unsigned char)*c < ' ')
            *c = '_';
}

/* Adds and registers the metrics of a backend. Returns NULL when out of memory. Lock held. */
static struct backend *add_backend(const char *label)
{
    struct backend *backend = calloc(1, sizeof *backend);
    if (backend == NULL)
        return NULL;
    arena_init(&backend->labels);
    backend->label = arena_strdup(&backend->labels, label);
    if (backend->label == NULL) {
        arena_fini(&backend->labels);
        free(backend);
        return NULL;
    }
    memcpy(&backend->metrics, &NEW_BACKEND, sizeof NEW_BACKEND);
    struct metric *all[] = {&backend->metrics.connected, &backend->metrics.in_flight,
                            &backend->metrics.ejected, &backend->metrics.ejections};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        all[i]->labels = backend->label;
        metric_register(all[i]);
    }
    backend->next = backends;
    backend_count++;
    return backends = backend;
}

struct rpc_backend_metrics *rpc_backend_metrics_of(const char *peer, const char *address)
{
    struct arena arena;
    arena_init(&arena);
    char *cleaned = arena_strdup(&arena, address);
    if (cleaned != NULL)
        clean(cleaned);
    const char *label =
        cleaned != NULL ? arena_printf(&arena, "peer=\"%s\",backend=\"%s\"", peer, cleaned) : NULL;
    struct backend *backend = NULL;
    if (label != NULL) {
        pthread_mutex_lock(&mutex);
        backend = backends;
        while (backend != NULL && strcmp(backend->label, label) != 0)
            backend = backend->next;
        if (backend == NULL && backend_count < RPC_BACKEND_METRICS_MAX)
            backend = add_backend(label);
        pthread_mutex_unlock(&mutex);
    }
    arena_fini(&arena);
    return backend != NULL ? &backend->metrics : NULL;
}
