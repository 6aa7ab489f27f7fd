#include "rpc/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/text.h"
#include "base/traceparent.h"
#include "rpc/envelope.h"
#include "rpc/metrics.h"
#include "rpc/server_state.h"

enum {
    SPARE_MAX = 1024,
    REQUEST_ID_MAX = 128,
    RESPONSE_HEADER_MAX = 6, /* maximum size of the payload field's tag and length in the envelope */
};

void rpc_call_pool_init(struct rpc_call_pool *pool)
{
    *pool = (struct rpc_call_pool){.spare = NULL};
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->all_released, NULL);
}

void rpc_call_pool_fini(struct rpc_call_pool *pool)
{
    while (pool->spare != NULL) {
        struct rpc_call *call = pool->spare;
        pool->spare = call->next;
        arena_fini(&call->arena);
        free(call);
    }
    CHECK(pool->held == 0);
    pthread_cond_destroy(&pool->all_released);
    pthread_mutex_destroy(&pool->mutex);
}

void rpc_call_pool_wait(struct rpc_call_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    while (pool->held > 0)
        pthread_cond_wait(&pool->all_released, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
}

struct rpc_call *rpc_call_acquire(struct rpc_server *server, struct rpc_slot *slot, int64_t arrival_ns)
{
    struct rpc_call_pool *pool = &server->calls;
    pthread_mutex_lock(&pool->mutex);
    struct rpc_call *call = pool->spare;
    CHECK((call == NULL) == (pool->spare_count == 0));
    if (call != NULL) {
        pool->spare = call->next;
        pool->spare_count--;
    }
    pool->held++;
    pthread_mutex_unlock(&pool->mutex);
    if (call == NULL) {
        call = malloc(sizeof *call);
        if (call == NULL) {
            pthread_mutex_lock(&pool->mutex);
            pool->held--;
            pthread_mutex_unlock(&pool->mutex);
            return NULL;
        }
        arena_init(&call->arena);
    }
    call->server = server;
    call->slot = slot;
    call->metrics = server->unknown_method;
    call->connection = (uint32_t)nng_pipe_id(slot->pipe);
    /* Ask now, and only where the answer matters: a pipe that has gone has no listener any more. */
    bool matters = server->access.identify != NULL || nng_listener_id(server->gateway_listener) > 0;
    call->listener = matters ? nng_listener_id(nng_pipe_listener(slot->pipe)) : 0;
    call->arrival_ns = arrival_ns;
    call->size_bytes = 0;
    call->request = NULL;
    call->caller = &AUTH_ANONYMOUS;
    call->request_id = NULL;
    return call;
}

static void release(struct rpc_call *call)
{
    struct rpc_call_pool *pool = &call->server->calls;
    if (call->size_bytes > RPC_CALL_KEEP_BYTES_MAX) {
        size_t held = atomic_fetch_sub(&call->server->large_bytes, call->size_bytes);
        CHECK(held >= call->size_bytes);
        arena_fini(&call->arena);
        arena_init(&call->arena);
    } else {
        arena_reset(&call->arena);
    }
    pthread_mutex_lock(&pool->mutex);
    bool keep = pool->spare_count < SPARE_MAX;
    if (keep) {
        call->next = pool->spare;
        pool->spare = call;
        pool->spare_count++;
    }
    CHECK(pool->held > 0); /* each call must be released only once */
    pool->held--;
    if (pool->held == 0)
        pthread_cond_broadcast(&pool->all_released);
    pthread_mutex_unlock(&pool->mutex);
    if (!keep) {
        arena_fini(&call->arena);
        free(call);
    }
}

static const char *method_name(const struct rpc_call *call)
{
    return call->request != NULL ? call->request->method : "";
}

/* Claims the call for a reply. If the server has already replied, releases the call and returns false. */
static bool claim(struct rpc_call *call)
{
    if (rpc_slot_claim(call->slot, call))
        return true;
    metric_add(&rpc_server_metrics.dropped, 1);
    log_event(LOG_DEBUG, "rpc.late_answer", LOG_TEXT("method", method_name(call)),
              LOG_TEXT("request_id", rpc_call_request_id(call)));
    release(call);
    return false;
}

static void note_answer(struct rpc_call *call, enum status status)
{
    int64_t took_us = (clock_monotonic_ns() - call->arrival_ns) / NS_PER_US;
    metric_add(&rpc_server_metrics.in_flight, -1);
    rpc_method_metrics_answered(call->metrics, status, took_us);
    log_event(LOG_DEBUG, "rpc.call", LOG_TEXT("method", method_name(call)),
              LOG_TEXT("request_id", rpc_call_request_id(call)), LOG_TEXT("status", status_name(status)),
              LOG_INT("took_us", took_us));
}

static void answer_error(struct rpc_call *call, const struct error *error)
{
    if (error->status == STATUS_INTERNAL) {
        log_event(LOG_ERROR, "rpc.internal_error", LOG_TEXT("method", method_name(call)),
                  LOG_TEXT("request_id", rpc_call_request_id(call)), LOG_TEXT("error", error->message));
    }
    note_answer(call, error->status);
    rpc_slot_send(call->slot, rpc_envelope_error(error));
    release(call);
}

void rpc_call_fail(struct rpc_call *call, const struct error *error)
{
    if (claim(call))
        answer_error(call, error);
}

void rpc_call_reply(struct rpc_call *call, const ProtobufCMessage *response)
{
    if (!claim(call))
        return;
    nng_msg *msg;
    struct error error;
    if (rpc_envelope_response(response, call->server->message_max_bytes, &msg, &error) != STATUS_OK) {
        answer_error(call, &error);
        return;
    }
    note_answer(call, STATUS_OK);
    rpc_slot_send(call->slot, msg);
    release(call);
}

int64_t rpc_call_deadline_ns(const struct rpc_call *call)
{
    return call->deadline_ns;
}

const struct auth_caller *rpc_call_caller(const struct rpc_call *call)
{
    return call->caller;
}

struct arena *rpc_call_arena(struct rpc_call *call)
{
    return &call->arena;
}

size_t rpc_call_response_max_bytes(const struct rpc_call *call)
{
    const size_t max_bytes = call->server->message_max_bytes;
    return max_bytes > RESPONSE_HEADER_MAX ? max_bytes - RESPONSE_HEADER_MAX : 0;
}

const char *rpc_call_metadata(const struct rpc_call *call, const char *key)
{
    for (size_t i = 0; call->request != NULL && i < call->request->n_metadata; i++)
        if (strcmp(call->request->metadata[i]->key, key) == 0)
            return call->request->metadata[i]->value;
    return NULL;
}

bool rpc_call_has_explicit_presence(const struct rpc_call *call)
{
    return call->request != NULL && call->request->explicit_presence;
}

bool rpc_call_is_from(const struct rpc_call *call, nng_listener listener)
{
    int id = nng_listener_id(listener);
    return id > 0 && call->listener == id;
}

uint64_t rpc_call_source(const struct rpc_call *call)
{
    enum { ADDRESS_SHIFT = 32 };
    const char *address = rpc_call_metadata(call, "client-address");
    /* Only a gateway is trusted to name the client on whose behalf it calls. */
    bool believed = address != NULL && rpc_call_is_from(call, call->server->gateway_listener);
    uint32_t hash = believed ? digest_address(address) : 0;
    return (uint64_t)hash << ADDRESS_SHIFT | call->connection;
}

const char *rpc_call_traceparent(const struct rpc_call *call)
{
    const char *traceparent = rpc_call_metadata(call, "traceparent");
    return traceparent_is_valid(traceparent) ? traceparent : "";
}

static const char *find_request_id(struct rpc_call *call)
{
    const char *traceparent = rpc_call_traceparent(call);
    if (traceparent[0] != '\0') {
        (void)snprintf(call->request_id_made, sizeof call->request_id_made, "%.*s", TRACE_ID_LENGTH,
                       traceparent + TRACE_ID_OFFSET); /* 32 characters; 36 would fit */
        return call->request_id_made;
    }
    const char *given = rpc_call_metadata(call, "x-request-id");
    if (given != NULL && text_check_opaque("x-request-id", given, 1, REQUEST_ID_MAX, NULL) == STATUS_OK)
        return given;
    struct uuid id = uuid_v7();
    return uuid_format(&id, call->request_id_made);
}

const char *rpc_call_request_id(struct rpc_call *call)
{
    if (call->request_id == NULL)
        call->request_id = find_request_id(call);
    return call->request_id;
}
