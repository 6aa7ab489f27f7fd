/* The function that the generated stubs call, and a blocking call built on it. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/monitor.h"
#include "rpc/channel_state.h"
#include "rpc/envelope.h"

enum { TIMEOUT_DEFAULT_MS = 1000 };

struct rpc_client {
    ProtobufCService service;
    struct rpc_channel *channel;
    struct arena names;
    const char **methods; /* full names in the descriptor's order */
};

/* Packs the request, with the program's own token if the call shows it. Sets call->error on failure. */
static enum status pack(struct rpc_channel *channel, struct rpc_client_call *call,
                        struct rpc_request *request, nng_msg **out)
{
    struct arena arena;
    arena_init(&arena);
    enum status status = STATUS_OK;
    if (call->own_token && channel->authorize != NULL)
        status =
            channel->authorize(channel->authorize_context, &arena, &request->authorization, &call->error);
    if (status == STATUS_OK)
        status = rpc_envelope_request(request, channel->message_max_bytes, out, &call->error);
    arena_fini(&arena);
    return status;
}

static void start(struct rpc_client *client, unsigned method_index, const ProtobufCMessage *input,
                  ProtobufCClosure closure, struct rpc_client_call *call)
{
    struct rpc_channel *channel = client->channel;
    error_clear(&call->error);
    call->left = call->refused_later = false;
    struct rpc_request request = {
        .method = client->methods[method_index],
        .message = input,
        .timeout_ms = call->timeout_ms != 0 ? call->timeout_ms : TIMEOUT_DEFAULT_MS,
        .traceparent = call->traceparent,
        .authorization = call->authorization,
        .client_address = call->client_address,
    };
    int64_t deadline_ns = clock_monotonic_ns() + (int64_t)request.timeout_ms * NS_PER_MS;
    nng_msg *msg;
    if (pack(channel, call, &request, &msg) != STATUS_OK) {
        closure(NULL, call);
        return;
    }
    struct rpc_exchange *exchange = rpc_channel_acquire(channel, &call->error);
    if (exchange == NULL) {
        nng_msg_free(msg);
        closure(NULL, call);
        return;
    }
    exchange->timeout_ms = request.timeout_ms;
    exchange->deadline_ns = deadline_ns;
    exchange->call = call;
    exchange->output = client->service.descriptor->methods[method_index].output;
    exchange->closure = closure;
    exchange->into = call->into != NULL ? call->into : &exchange->arena;
    rpc_exchange_start(exchange, msg);
}

static void invoke(ProtobufCService *service, unsigned method_index, const ProtobufCMessage *input,
                   ProtobufCClosure closure, void *closure_data)
{
    start(container_of(service, struct rpc_client, service), method_index, input, closure, closure_data);
}

struct rpc_client *rpc_client_create(struct rpc_channel *channel,
                                     const ProtobufCServiceDescriptor *descriptor)
{
    struct rpc_client *client = calloc(1, sizeof *client);
    if (client == NULL)
        return NULL;
    client->service = (ProtobufCService){.descriptor = descriptor, .invoke = invoke};
    client->channel = channel;
    arena_init(&client->names);
    client->methods = arena_alloc(&client->names, descriptor->n_methods * sizeof client->methods[0]);
    for (unsigned i = 0; client->methods != NULL && i < descriptor->n_methods; i++) {
        client->methods[i] =
            arena_printf(&client->names, "%s/%s", descriptor->name, descriptor->methods[i].name);
        if (client->methods[i] == NULL)
            client->methods = NULL;
    }
    if (client->methods == NULL) {
        rpc_client_destroy(client);
        return NULL;
    }
    return client;
}

void rpc_client_destroy(struct rpc_client *client)
{
    if (client != NULL) {
        arena_fini(&client->names);
        free(client);
    }
}

ProtobufCService *rpc_client_service(struct rpc_client *client)
{
    return &client->service;
}

/* A blocking call, on the stack of the thread that waits for the reply. */
struct waiter {
    struct rpc_client_call call;
    struct monitor monitor;
    bool done;
    const ProtobufCMessage *response;
};

static void on_answer(const ProtobufCMessage *response, void *closure_data)
{
    struct waiter *waiter = container_of(closure_data, struct waiter, call);
    monitor_lock(&waiter->monitor);
    waiter->response = response;
    waiter->done = true;
    /* Notify with the lock held, because the waiter may be gone once the lock is released. */
    monitor_notify(&waiter->monitor);
    monitor_unlock(&waiter->monitor);
}

static void wait_for_answer(struct waiter *waiter)
{
    monitor_lock(&waiter->monitor);
    while (!waiter->done)
        monitor_wait(&waiter->monitor, INT64_MAX);
    monitor_unlock(&waiter->monitor);
}

enum status rpc_client_call_wait(struct rpc_client *client, const char *method,
                                 const ProtobufCMessage *request, struct rpc_client_call *call,
                                 struct arena *arena, ProtobufCMessage **response)
{
    const ProtobufCServiceDescriptor *descriptor = client->service.descriptor;
    const ProtobufCMethodDescriptor *found =
        protobuf_c_service_descriptor_get_method_by_name(descriptor, method);
    if (found == NULL) {
        call->left = call->refused_later = false;
        return error_set(&call->error, STATUS_UNIMPLEMENTED, NULL, "no method %s/%s", descriptor->name,
                         method);
    }
    struct waiter waiter = {.call = *call};
    monitor_init(&waiter.monitor);
    waiter.call.into = arena;
    start(client, (unsigned)(found - descriptor->methods), request, on_answer, &waiter.call);
    wait_for_answer(&waiter);
    monitor_fini(&waiter.monitor);
    waiter.call.into = call->into;
    *call = waiter.call;
    if (waiter.response != NULL)
        *response = (ProtobufCMessage *)waiter.response; /* it is in the caller's arena */
    return call->error.status;
}
