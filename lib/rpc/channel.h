/*
 * The client side of RPC: a channel to one server, with deadlines and with typed stubs through protobuf-c's
 * service descriptors.
 *
 * An asynchronous call with a generated stub:
 *
 *     struct my_call { struct rpc_client_call call; ... } *mine = ...;
 *     mine->call.timeout_ms = 600;
 *     screening__v1__hospital_service__batch_reserve(rpc_client_service(client), &request, on_answer, mine);
 *
 * closure_data must point to a struct rpc_client_call. `on_answer` gets the response, or NULL and the reason
 * in call.error. It runs on an nng callback thread or, if nothing could be sent, on the caller's thread
 * before the stub returns. It must not block, and the response is valid only until it returns.
 *
 * Three options protect a server in trouble: a circuit breaker, a bulkhead (a limit on calls in flight) and a
 * retry budget. Each is off by default. The channel retries a request only within the retry budget and the
 * call's own budget, and only if nothing was executed or the call is marked idempotent. nng's own resending
 * is off. Regardless of the options, the channel sends nothing to a draining server for as long as the server
 * asks, nor on the connection on which the server said so, until that is closed.
 *
 * The channel refuses a call without sending anything (left = false) with UNAVAILABLE `BREAKER_OPEN` or
 * `DRAINING`, both with retry_after_ms, or RESOURCE_EXHAUSTED `CALLS_MAX`.
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
    /* The largest message; 0 = 1 MiB. A larger request fails with RESOURCE_EXHAUSTED before it is sent. */
    size_t message_max_bytes;
    /*
     * Whether rpc_channel_open fails with UNAVAILABLE if nothing listens now. Otherwise the channel keeps
     * trying to connect in the background.
     */
    bool connect_now;
    /*
     * The server's name in metrics and log. It must outlive the channel. NULL: no metrics, and no name in the
     * log.
     */
    const char *peer;
    struct breaker_options breaker;
    struct retry_options retry;
    size_t calls_max; /* maximum calls in flight; 0 = no limit */
};

/*
 * The inputs and the result of a call. The stubs' closure_data points to it. Embed it and use container_of.
 */
struct rpc_client_call {
    /* in */
    uint32_t timeout_ms;        /* the whole budget, sent to the server; 0 = 1000 */
    const char *traceparent;    /* NULL or "" = none; must stay valid until the closure is called */
    const char *authorization;  /* like traceparent */
    const char *client_address; /* like traceparent; set by a gateway to the client that it calls for */
    /* Whether the call may be executed twice; if so it is retried even if the server may have executed it. */
    bool idempotent;
    /* Whether the caller itself asks the breaker, records the outcome and decides about retries. */
    bool unguarded;
    struct arena *into; /* the arena for the response; NULL = the response is valid only during the closure */
    /* out */
    struct error error; /* OK if the response was delivered */
    bool left;          /* whether the message left or may have left; if not, nothing was executed */
};

/*
 * Opens a channel, which carries any number of concurrent calls. Returns INVALID_ARGUMENT for a malformed
 * address, and UNAVAILABLE as connect_now says.
 */
MUST_CHECK enum status rpc_channel_open(const struct rpc_channel_options *options, struct rpc_channel **out,
                                        struct error *error);

/*
 * Fails the calls in flight with UNAVAILABLE and waits until their closures have returned. Later calls fail
 * in the same way immediately, on the caller's thread. The channel and its guard may still be queried. Do not
 * call from an nng callback.
 */
void rpc_channel_stop(struct rpc_channel *channel);

/*
 * Stops the channel unless it is stopped already, then closes it. No thread may use the channel or its guard
 * any longer. NULL is allowed.
 */
void rpc_channel_close(struct rpc_channel *channel);

/* Returns true while there is a connection. Any thread. */
bool rpc_channel_connected(struct rpc_channel *channel);

/*
 * Repairs a lost connection. Call it about once a second while the channel is not connected, always from the
 * same thread, which must not be one of nng's. Without it, a connection that broke during its setup might
 * never be made again (redial.h).
 */
void rpc_channel_look_after(struct rpc_channel *channel);

/* Returns the channel's guard, for callers of unguarded calls. It lives as long as the channel. */
struct rpc_guard *rpc_channel_guard(struct rpc_channel *channel);

/* Returns the address that the channel was opened with. */
const char *rpc_channel_address(const struct rpc_channel *channel);

/* Creates a client of one service over the channel. Returns NULL when out of memory. */
struct rpc_client *rpc_client_create(struct rpc_channel *channel,
                                     const ProtobufCServiceDescriptor *descriptor);
void rpc_client_destroy(struct rpc_client *client);

/* Returns the `service` argument for the generated stubs. Any thread may call any stub at any time. */
ProtobufCService *rpc_client_service(struct rpc_client *client);

/*
 * Makes a call and waits for its reply, for threads that may block. `call` is as above and may be reused.
 * After OK, *response is in `arena`. Do not call it from an nng callback.
 */
MUST_CHECK enum status rpc_client_call_wait(struct rpc_client *client, const char *method,
                                            const ProtobufCMessage *request, struct rpc_client_call *call,
                                            struct arena *arena, ProtobufCMessage **response);

#endif
