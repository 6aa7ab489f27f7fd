/*
 * The client side: a channel to one server, with deadlines; typed stubs through protobuf-c's service
 * descriptors.
 *
 * Asynchronous, with a generated stub:
 *
 *     struct my_call { struct rpc_client_call call; ... } *mine = ...;
 *     mine->call.timeout_ms = 600;
 *     screening__v1__hospital_service__batch_reserve(rpc_client_service(client), &request, on_answer, mine);
 *
 * closure_data must point to a struct rpc_client_call. `on_answer` gets the response, or NULL and the reason
 * in call.error. It runs on an nng callback thread (or, when nothing could be sent, on the caller's before
 * the stub returns), must not block, and the response is valid during it only.
 *
 * What the channel does against a server in trouble is chosen by its options, each of them off by default: a
 * breaker, a bulkhead (a bound on calls in flight), a budget for retries. It sends a request again only
 * within that budget and the call's own, and only when nothing was executed or the call is marked idempotent;
 * nng's own resending is off. A server that drains is left alone as long as it asks for, and until it has
 * closed that connection, always.
 *
 * Refused here, without anything sent (left = false): UNAVAILABLE `BREAKER_OPEN` or `DRAINING`, with
 * retry_after_ms; RESOURCE_EXHAUSTED `CALLS_MAX`.
 */
#ifndef SCREENING_RPC_CHANNEL_H
#define SCREENING_RPC_CHANNEL_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "rpc/breaker.h"
#include "rpc/retry.h"

struct rpc_channel;
struct rpc_guard;
struct rpc_client;

struct rpc_channel_options {
    const char *address;
    size_t
        message_max_bytes; /* 0 = 1 MiB: larger requests fail with RESOURCE_EXHAUSTED before they are sent */
    bool connect_now; /* fail with UNAVAILABLE if nobody listens now; else connect in the background, for ever
                       */
    const char *peer; /* the server's name in metrics and log; NULL = neither; must outlive the channel */
    struct breaker_options breaker;
    struct retry_options retry;
    size_t calls_max; /* in flight at once; 0 = no bound */
};

/* What a call needs and what became of it; the first member of the caller's own closure_data. */
struct rpc_client_call {
    /* in */
    uint32_t timeout_ms;        /* the whole budget, sent along; 0 = 1000. */
    const char *traceparent;    /* NULL or "" = none; must live until the answer */
    const char *authorization;  /* the same */
    const char *client_address; /* the same: of the caller that a gateway speaks for */
    bool idempotent;            /* may be executed twice: is sent again also when it may have been executed */
    bool unguarded; /* the caller asks the breaker, counts the outcome and sends again itself, if at all */
    struct arena *into; /* where the response is unpacked; NULL = it lives during the closure only */
    /* out */
    struct error error; /* OK: the response was delivered */
    bool left;          /* false: the message never left (nothing was executed); true: it did or may have */
};

/* INVALID_ARGUMENT for a malformed address; UNAVAILABLE see connect_now. Any number of calls may then be in
 * flight. */
MUST_CHECK enum status rpc_channel_open(const struct rpc_channel_options *options, struct rpc_channel **out,
                                        struct error *error);

/*
 * Fails the calls in flight with UNAVAILABLE (their closures are called) and waits for them; calls that come
 * later fail so at once, on their own threads. The channel and its guard may still be asked. Not from nng
 * callbacks.
 */
void rpc_channel_stop(struct rpc_channel *channel);

/* The same unless it was done, and closes: no thread may use the channel or its guard any more. NULL is
 * allowed. */
void rpc_channel_close(struct rpc_channel *channel);

/* True while a connection stands. Any thread. */
bool rpc_channel_connected(struct rpc_channel *channel);

/*
 * To be called about every second while it is not connected, by one thread that is none of nng's: a
 * connection that broke while it was being made is else never made again (redial.h).
 */
void rpc_channel_look_after(struct rpc_channel *channel);

/* For callers of unguarded calls. Lives as long as the channel. */
struct rpc_guard *rpc_channel_guard(struct rpc_channel *channel);

/* The address it was opened with. */
const char *rpc_channel_address(const struct rpc_channel *channel);

/* A client of one service over the channel. NULL when out of memory. */
struct rpc_client *rpc_client_create(struct rpc_channel *channel,
                                     const ProtobufCServiceDescriptor *descriptor);
void rpc_client_destroy(struct rpc_client *client);

/* What the generated stubs take as `service`. Any thread may call any stub at any time. */
ProtobufCService *rpc_client_service(struct rpc_client *client);

/*
 * A blocking call, for threads that may wait. `call` as above (may be reused). On OK *response is unpacked
 * into `arena`. Not from nng callbacks.
 */
MUST_CHECK enum status rpc_client_call_wait(struct rpc_client *client, const char *method,
                                            const ProtobufCMessage *request, struct rpc_client_call *call,
                                            struct arena *arena, ProtobufCMessage **response);

#endif
