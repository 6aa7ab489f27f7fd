#include "rpc/dispatch.h"

#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fault_point.h"
#include "rpc/identify.h"
#include "rpc/server_state.h"
#include "rpc/wire.h"

#include "screening/v1/words.h"

static void set_budget(struct rpc_call *call, uint32_t timeout_ms)
{
    call->deadline_ns = call->arrival_ns + (int64_t)timeout_ms * NS_PER_MS;
}

/* Finds the service whose name is the first `length` bytes of `name`. Returns NULL if there is none. */
static const struct rpc_service_entry *find_service(const struct rpc_server *server, const char *name,
                                                    size_t length)
{
    for (size_t i = 0; i < server->service_count; i++) {
        const char *known = server->services[i].service->descriptor->name;
        if (strncmp(known, name, length) == 0 && known[length] == '\0')
            return &server->services[i];
    }
    return NULL;
}

static enum status find_method(struct rpc_call *call, struct error *error)
{
    const char *full_name = call->request->method;
    const char *slash = strchr(full_name, '/');
    if (slash == NULL) {
        return error_set(error, STATUS_UNIMPLEMENTED, NULL, "method: \"%s\" is not SERVICE/METHOD",
                         full_name);
    }
    call->entry = find_service(call->server, full_name, (size_t)(slash - full_name));
    if (call->entry == NULL) {
        return error_set(error, STATUS_UNIMPLEMENTED, NULL, "no service %.*s here", (int)(slash - full_name),
                         full_name);
    }
    const ProtobufCServiceDescriptor *service = call->entry->service->descriptor;
    call->method = protobuf_c_service_descriptor_get_method_by_name(service, slash + 1);
    if (call->method == NULL)
        return error_set(error, STATUS_UNIMPLEMENTED, NULL, "no method %s here", full_name);
    call->metrics = &call->entry->metrics[call->method - service->methods];
    return STATUS_OK;
}

/*
 * Limits the total memory of large requests. Returns RESOURCE_EXHAUSTED if the total exceeds the limit. A
 * request keeps its memory until its handler has answered the call, and may be far larger than its useful
 * content, because of unknown fields or text that will be refused. For small requests, the limit on the
 * number of calls is enough.
 */
static enum status check_memory(struct rpc_call *call, struct error *error)
{
    struct rpc_server *server = call->server;
    if (call->size_bytes <= RPC_CALL_KEEP_BYTES_MAX)
        return STATUS_OK;
    size_t held = atomic_fetch_add(&server->large_bytes, call->size_bytes) + call->size_bytes;
    if (held <= RPC_LARGE_REQUESTS * server->message_max_bytes)
        return STATUS_OK;
    (void)error_set(error, STATUS_RESOURCE_EXHAUSTED, SCREENING_REASON_OVERLOADED,
                    "too many large requests wait");
    error->retry_after_ms = RPC_RETRY_AFTER_MS;
    return error->status;
}

enum status rpc_dispatch_decode(struct rpc_call *call, nng_msg *msg, struct error *error)
{
    const struct rpc_server *server = call->server;
    const uint8_t *body = nng_msg_body(msg);
    call->size_bytes = nng_msg_len(msg);
    set_budget(call, server->default_timeout_ms);
    if (check_memory(call, error) != STATUS_OK) {
        nng_msg_free(msg);
        return error->status;
    }
    call->request = (Rpc__V1__Request *)wire_unpack(&rpc__v1__request__descriptor, body, call->size_bytes,
                                                    WIRE_ENVELOPE_ELEMENTS_MAX, &call->arena, error);
    nng_msg_free(msg);
    if (call->request == NULL)
        return STATUS_INVALID_ARGUMENT;
    if (call->request->timeout_ms > server->max_timeout_ms)
        return error_invalid(error, "timeout_ms: must be at most %u", server->max_timeout_ms);
    if (call->request->timeout_ms > 0)
        set_budget(call, call->request->timeout_ms);
    return find_method(call, error);
}

/* Checks whether the server currently serves the call's service. */
static enum status check_open(struct rpc_call *call, struct error *error)
{
    struct rpc_server *server = call->server;
    enum status status = STATUS_OK;
    if (call->entry->always && !atomic_load(&server->shut))
        return STATUS_OK;
    if (atomic_load(&server->draining)) {
        atomic_store(&server->last_heard_ns, call->arrival_ns);
        status = error_set(error, STATUS_UNAVAILABLE, SCREENING_REASON_DRAINING, "%s is shutting down",
                           server->program);
    } else if (!atomic_load(&server->serving)) {
        status = error_set(error, STATUS_UNAVAILABLE, SCREENING_REASON_NOT_READY, "%s is not ready yet",
                           server->program);
    }
    if (status != STATUS_OK)
        error->retry_after_ms = RPC_RETRY_AFTER_MS;
    return status;
}

/* The closure that handlers call to reply with a response. */
static void on_response(const ProtobufCMessage *response, void *closure_data)
{
    rpc_call_reply(closure_data, response);
}

static void dispatch(struct rpc_call *call)
{
    struct error error;
    if (check_open(call, &error) != STATUS_OK || rpc_identify(call, &error) != STATUS_OK) {
        rpc_call_fail(call, &error);
        return;
    }
    const ProtobufCBinaryData *payload = &call->request->payload;
    ProtobufCMessage *request = wire_unpack(call->method->input, payload->data, payload->len,
                                            WIRE_REQUEST_ELEMENTS_MAX, &call->arena, &error);
    if (request == NULL) {
        rpc_call_fail(call, &error);
        return;
    }
    if (!call->entry->always)
        FAULT_POINT("rpc.server.before_handler");
    ProtobufCService *service = call->entry->service;
    CHECK(call->method >= service->descriptor->methods &&
          call->method < service->descriptor->methods + service->descriptor->n_methods);
    service->invoke(service, (unsigned)(call->method - service->descriptor->methods), request, on_response,
                    call);
}

void rpc_dispatch(struct rpc_call *call)
{
    struct rpc_server *server = call->server; /* the call may be freed by the time its handler returns */
    /* Increment the count before check_open reads the flags: shut() sets the flags, then reads the count. */
    atomic_fetch_add(&server->invoking, 1);
    dispatch(call);
    size_t invoking = atomic_fetch_sub(&server->invoking, 1);
    CHECK(invoking > 0);
}
