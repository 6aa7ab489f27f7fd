#include "rpc/introspection.h"

#include <stdbool.h>

#include "base/arena.h"
#include "base/container.h"
#include "base/metrics.h"
#include "rpc/server_state.h"

static void fail_without_memory(struct rpc_call *call)
{
    struct error error;
    (void)error_set(&error, STATUS_RESOURCE_EXHAUSTED, NULL, "no memory for the answer");
    rpc_call_fail(call, &error);
}

static Rpc__V1__MethodDescription *describe_method(struct arena *arena,
                                                   const ProtobufCServiceDescriptor *service,
                                                   const ProtobufCMethodDescriptor *method)
{
    Rpc__V1__MethodDescription *description = arena_alloc(arena, sizeof *description);
    if (description == NULL)
        return NULL;
    rpc__v1__method_description__init(description);
    description->name = arena_printf(arena, "%s/%s", service->name, method->name);
    description->request_type = (char *)method->input->name;
    description->response_type = (char *)method->output->name;
    return description->name != NULL ? description : NULL;
}

static Rpc__V1__ServiceDescription *describe_service(struct arena *arena,
                                                     const ProtobufCServiceDescriptor *service)
{
    Rpc__V1__ServiceDescription *description = arena_alloc(arena, sizeof *description);
    if (description == NULL)
        return NULL;
    rpc__v1__service_description__init(description);
    description->name = (char *)service->name;
    description->methods = arena_alloc(arena, service->n_methods * sizeof description->methods[0]);
    if (description->methods == NULL)
        return NULL;
    for (unsigned i = 0; i < service->n_methods; i++) {
        description->methods[i] = describe_method(arena, service, &service->methods[i]);
        if (description->methods[i] == NULL)
            return NULL;
    }
    description->n_methods = service->n_methods;
    return description;
}

static void describe(Rpc__V1__Introspection_Service *service, const Rpc__V1__DescribeRequest *request,
                     Rpc__V1__DescribeResponse_Closure closure, void *closure_data)
{
    (void)request; /* has no fields */
    struct rpc_server *server = container_of(service, struct rpc_introspection, base)->server;
    struct arena *arena = rpc_call_arena(closure_data);
    Rpc__V1__ServiceDescription *services[RPC_SERVICES_MAX];
    Rpc__V1__DescribeResponse response = RPC__V1__DESCRIBE_RESPONSE__INIT;
    response.program = server->program;
    response.version = SCREENING_VERSION;
    response.services = services;
    response.n_services = server->service_count;
    for (size_t i = 0; i < server->service_count; i++) {
        services[i] = describe_service(arena, server->services[i].service->descriptor);
        if (services[i] == NULL) {
            fail_without_memory(closure_data);
            return;
        }
    }
    closure(&response, closure_data);
}

/* Writes one metric to *stat. Returns false when out of memory. */
static bool show(struct arena *arena, struct metric *metric, Rpc__V1__Stat *stat)
{
    rpc__v1__stat__init(stat);
    stat->name = metric->labels == NULL ? (char *)metric->name
                                        : arena_printf(arena, "%s{%s}", metric->name, metric->labels);
    stat->value = metric_get(metric);
    stat->unit = metric->unit;
    return stat->name != NULL;
}

/* Adds all metrics to the response. Returns false when out of memory. */
static bool show_all(struct arena *arena, Rpc__V1__StatsResponse *response)
{
    struct metric *newest = metrics_newest();
    size_t count = 0;
    for (struct metric *metric = newest; metric != NULL; metric = metric->next)
        count++;
    Rpc__V1__Stat *stats = arena_alloc(arena, count * sizeof stats[0]);
    response->stats = arena_alloc(arena, count * sizeof response->stats[0]);
    if (stats == NULL || response->stats == NULL)
        return false;
    for (struct metric *metric = newest; metric != NULL; metric = metric->next) {
        Rpc__V1__Stat *stat = &stats[response->n_stats];
        if (!show(arena, metric, stat))
            return false;
        response->stats[response->n_stats++] = stat;
    }
    return true;
}

static void report(Rpc__V1__Introspection_Service *service, const Rpc__V1__StatsRequest *request,
                   Rpc__V1__StatsResponse_Closure closure, void *closure_data)
{
    (void)request; /* has no fields */
    struct rpc_server *server = container_of(service, struct rpc_introspection, base)->server;
    Rpc__V1__StatsResponse response = RPC__V1__STATS_RESPONSE__INIT;
    if (!show_all(rpc_call_arena(closure_data), &response)) {
        fail_without_memory(closure_data);
        return;
    }

    char reasons[RPC_DEGRADED_MAX][RPC_DEGRADED_TEXT_SIZE];
    char *degraded[RPC_DEGRADED_MAX];
    response.program = server->program;
    response.n_degraded = server->degraded != NULL ? server->degraded(server->observer, reasons) : 0;
    response.degraded = degraded;
    for (size_t i = 0; i < response.n_degraded; i++)
        degraded[i] = reasons[i];
    const char *not_ready = rpc_server_not_ready(server);
    response.not_ready = (char *)(uintptr_t)(not_ready == NULL ? "" : not_ready);
    closure(&response, closure_data);
}

ProtobufCService *rpc_introspection_init(struct rpc_introspection *introspection, struct rpc_server *server)
{
    introspection->base = (Rpc__V1__Introspection_Service){RPC__V1__INTROSPECTION__BASE_INIT,
                                                           .describe = describe, .stats = report};
    introspection->server = server;
    return &introspection->base.base;
}
