#include "rpc/introspection.h"

#include "base/arena.h"
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
    if (description == NULL) {
        return NULL;
    }
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
    if (description == NULL) {
        return NULL;
    }
    rpc__v1__service_description__init(description);
    description->name = (char *)service->name;
    description->methods = arena_alloc(arena, service->n_methods * sizeof description->methods[0]);
    if (description->methods == NULL) {
        return NULL;
    }
    for (unsigned i = 0; i < service->n_methods; i++) {
        description->methods[i] = describe_method(arena, service, &service->methods[i]);
        if (description->methods[i] == NULL) {
            return NULL;
        }
    }
    description->n_methods = service->n_methods;
    return description;
}

static void describe(Rpc__V1__Introspection_Service *service, const Rpc__V1__DescribeRequest *request,
                     Rpc__V1__DescribeResponse_Closure closure, void *closure_data)
{
    (void)request; /* has no fields */
    struct rpc_server *server = ((struct rpc_introspection *)service)->server;
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

/* The metrics are counted in a first visit; one registered between the two is left out. */
struct stats {
    struct arena *arena;
    bool complete; /* false: out of memory */
    Rpc__V1__Stat *stats;
    Rpc__V1__Stat **pointers;
    size_t count;
    size_t capacity;
};

static void count_metric(void *context, const struct metric *metric, int64_t value)
{
    (void)metric;
    (void)value;
    ((struct stats *)context)->capacity++;
}

static void add_metric(void *context, const struct metric *metric, int64_t value)
{
    struct stats *stats = context;
    if (stats->count == stats->capacity) {
        return;
    }
    Rpc__V1__Stat *stat = &stats->stats[stats->count];
    rpc__v1__stat__init(stat);
    stat->name = metric->labels == NULL ? (char *)metric->name
                                        : arena_printf(stats->arena, "%s{%s}", metric->name, metric->labels);
    if (stat->name == NULL) {
        stats->complete = false;
        return;
    }
    stat->value = value;
    stat->unit = metric->unit;
    stats->pointers[stats->count++] = stat;
}

static void report(Rpc__V1__Introspection_Service *service, const Rpc__V1__StatsRequest *request,
                   Rpc__V1__StatsResponse_Closure closure, void *closure_data)
{
    (void)request; /* has no fields */
    struct rpc_server *server = ((struct rpc_introspection *)service)->server;
    struct arena *arena = rpc_call_arena(closure_data);
    struct stats stats = {.arena = arena, .complete = true};
    metrics_visit(count_metric, &stats);
    stats.stats = arena_alloc(arena, stats.capacity * sizeof stats.stats[0]);
    stats.pointers = arena_alloc(arena, stats.capacity * sizeof stats.pointers[0]);
    if (stats.stats == NULL || stats.pointers == NULL) {
        fail_without_memory(closure_data);
        return;
    }
    metrics_visit(add_metric, &stats);
    if (!stats.complete) {
        fail_without_memory(closure_data);
        return;
    }

    char reasons[RPC_DEGRADED_MAX][RPC_DEGRADED_TEXT_SIZE];
    char *degraded[RPC_DEGRADED_MAX];
    Rpc__V1__StatsResponse response = RPC__V1__STATS_RESPONSE__INIT;
    response.program = server->program;
    response.n_degraded = server->degraded != NULL ? server->degraded(server->observer, reasons) : 0;
    response.degraded = degraded;
    for (size_t i = 0; i < response.n_degraded; i++) {
        degraded[i] = reasons[i];
    }
    const char *not_ready = rpc_server_not_ready(server);
    response.not_ready = (char *)(uintptr_t)(not_ready == NULL ? "" : not_ready);
    response.n_stats = stats.count;
    response.stats = stats.pointers;
    closure(&response, closure_data);
}

ProtobufCService *rpc_introspection_init(struct rpc_introspection *introspection, struct rpc_server *server)
{
    introspection->base = (Rpc__V1__Introspection_Service){RPC__V1__INTROSPECTION__BASE_INIT,
                                                           .describe = describe, .stats = report};
    introspection->server = server;
    return &introspection->base.base;
}
