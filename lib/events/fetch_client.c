/*
 * The call lives until both its waiter and nng's callback are done with it. Lock order: the call's own
 * monitor, then the waiter's.
 */
#include "fetch_client.h"

#include <stdlib.h>

enum { FETCH_TIMEOUT_MS = 2000 };

struct fetch_call {
    struct rpc_client_call call; /* first: the closure's data */
    struct monitor own;
    struct monitor *waiter; /* guarded by `own`; NULL once it has left */
    bool answered;          /* guarded by the waiter's monitor, as what follows */
    uint8_t *packed;        /* the response, NULL if there is none */
    size_t size;
};

static void destroy(struct fetch_call *fetch)
{
    monitor_fini(&fetch->own);
    free(fetch->packed);
    free(fetch);
}

/* The response lives only during the callback: packed, it can be handed on. */
static void keep_response(struct fetch_call *fetch, const ProtobufCMessage *response)
{
    fetch->size = protobuf_c_message_get_packed_size(response);
    fetch->packed = malloc(fetch->size + 1); /* a message may pack to nothing */
    if (fetch->packed != NULL)
        protobuf_c_message_pack(response, fetch->packed);
    else
        (void)error_set(&fetch->call.error, STATUS_RESOURCE_EXHAUSTED, NULL, "out of memory");
}

static void on_answer(const Screening__V1__FetchResponse *response, void *closure_data)
{
    struct fetch_call *fetch = closure_data;
    monitor_lock(&fetch->own);
    struct monitor *waiter = fetch->waiter;
    if (waiter != NULL) {
        if (response != NULL)
            keep_response(fetch, &response->base);
        monitor_lock(waiter);
        fetch->answered = true;
        monitor_notify(waiter);
        monitor_unlock(waiter);
    }
    monitor_unlock(&fetch->own);
    if (waiter == NULL)
        destroy(fetch);
}

/* True if the callback is over: the call is ours alone. */
static bool leave(struct fetch_call *fetch)
{
    monitor_lock(&fetch->own);
    monitor_lock(fetch->waiter);
    bool answered = fetch->answered;
    monitor_unlock(fetch->waiter);
    fetch->waiter = NULL;
    monitor_unlock(&fetch->own);
    return answered;
}

static void wait_for_answer(struct fetch_call *fetch, struct monitor *monitor, const bool *stop)
{
    monitor_lock(monitor);
    while (!fetch->answered && !*stop)
        monitor_wait(monitor, INT64_MAX);
    monitor_unlock(monitor);
}

static enum status take_response(const struct fetch_call *fetch, struct arena *arena,
                                 const Screening__V1__FetchResponse **out, struct error *error)
{
    *error = fetch->call.error;
    if (error->status != STATUS_OK)
        return error->status;
    const Screening__V1__FetchResponse *response =
        screening__v1__fetch_response__unpack(arena_allocator(arena), fetch->size, fetch->packed);
    if (response == NULL)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "out of memory");
    *out = response;
    return STATUS_OK;
}

enum status fetch_client_call(struct rpc_client *client, const Screening__V1__FetchRequest *request,
                              struct monitor *monitor, const bool *stop, struct arena *arena,
                              const Screening__V1__FetchResponse **out, struct error *error)
{
    struct fetch_call *fetch = calloc(1, sizeof *fetch);
    if (fetch == NULL || monitor_init(&fetch->own) != STATUS_OK) {
        free(fetch);
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "out of memory");
    }
    fetch->call.timeout_ms = FETCH_TIMEOUT_MS;
    fetch->call.unguarded = true; /* the follower has a backoff of its own */
    fetch->waiter = monitor;
    screening__v1__event_log_service__fetch(rpc_client_service(client), request, on_answer, fetch);
    wait_for_answer(fetch, monitor, stop);
    if (!leave(fetch))
        return error_set(error, STATUS_CANCELLED, NULL, "stopped waiting");
    enum status status = take_response(fetch, arena, out, error);
    destroy(fetch);
    return status;
}
