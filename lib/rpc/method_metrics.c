#include "rpc/method_metrics.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/arena.h"

enum { FIRST_BOUND_US = 64 }; /* which makes the last bound 8.4 s */

/* The metrics of one service or, with descriptor NULL, of unknown methods. */
struct service_metrics {
    const ProtobufCServiceDescriptor *descriptor;
    struct service_metrics *next;
    struct arena labels;
    struct rpc_method_metrics methods[];
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards the list, not the metrics */
static struct service_metrics *known;

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

static bool init_methods(struct service_metrics *service)
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

static struct service_metrics *create(const ProtobufCServiceDescriptor *descriptor)
{
    const size_t count = descriptor != NULL ? descriptor->n_methods : 1;
    struct service_metrics *service = calloc(1, sizeof *service + count * sizeof service->methods[0]);
    if (service == NULL)
        return NULL;
    service->descriptor = descriptor;
    arena_init(&service->labels);
    if (!init_methods(service)) {
        arena_fini(&service->labels);
        free(service);
        return NULL;
    }
    return service;
}

static struct rpc_method_metrics *find_or_create(const ProtobufCServiceDescriptor *descriptor)
{
    pthread_mutex_lock(&mutex);
    struct service_metrics *service = known;
    while (service != NULL && service->descriptor != descriptor)
        service = service->next;
    if (service == NULL) {
        service = create(descriptor);
        if (service != NULL) {
            service->next = known;
            known = service;
        }
    }
    pthread_mutex_unlock(&mutex);
    return service != NULL ? service->methods : NULL;
}

struct rpc_method_metrics *rpc_method_metrics_of(const ProtobufCServiceDescriptor *service)
{
    return find_or_create(service);
}

struct rpc_method_metrics *rpc_method_metrics_unknown(void)
{
    return find_or_create(NULL);
}

void rpc_method_metrics_answered(struct rpc_method_metrics *method, enum status status, int64_t took_us)
{
    metric_register(&method->answers[status]);
    metric_add(&method->answers[status], 1);
    histogram_register(&method->seconds);
    histogram_add(&method->seconds, took_us);
}
