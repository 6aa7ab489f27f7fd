/*
 * The client side of RPC: a channel to a service, with a backend for each of its addresses. Calls have
 * deadlines, and protobuf-c generates a typed stub for each method.
 *
 * An asynchronous call with a generated stub:
 *
 *     struct my_call { struct rpc_client_call call; ... } *mine = ...;
 *     mine->call.timeout_ms = 600;
 *     screening__v1__hospital_service__batch_reserve(rpc_client_service(client), &request, on_answer, mine);
 *
 * closure_data must point to a struct rpc_client_call. `on_answer` receives the response, or NULL with the
 * reason in call.error. It runs on an nng callback thread or, if nothing could be sent, on the caller's
 * thread before the stub returns. `on_answer` must not block. The response is valid only until `on_answer`
 * returns, unless call.into is set.
 *
 * Each call goes to one backend (balance.h). A call that was not executed, because it never left or was
 * answered DRAINING or NOT_READY, goes to another usable backend at once, and so does an idempotent call
 * whose connection is lost. An idempotent call that has no answer when half of its remaining budget has
 * passed does so once, if the retry budget allows it. The channel tries each backend at most once in these
 * ways. The following begins when no other backend is usable.
 *
 * Three options protect an overloaded or failing service, for all of its backends together: a circuit
 * breaker, a bulkhead (a limit on calls in flight) and a retry budget. Each is off by default. The channel
 * retries a request only within the retry budget and the call's own budget, and only if nothing was executed
 * or the call is marked idempotent. nng's own resending is off. Regardless of the options, the channel sends
 * nothing to a draining server for the time that the server requests (at most 10 s). It sends nothing for up
 * to 2 s more on the connection on which the server replied DRAINING, because the server is about to close
 * that connection.
 *
 * A call that the channel itself refuses fails with UNAVAILABLE `BREAKER_OPEN` or `DRAINING`, both with
 * retry_after_ms, or with RESOURCE_EXHAUSTED `CALLS_MAX`. Nothing was sent (left = false).
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

/*
 * Sets *out to the `authorization` of this program, allocated in `arena`. Returns any error, with which the
 * call then fails before it is sent. Any thread; must not block.
 */
typedef enum status (*rpc_authorize_fn)(void *context, struct arena *arena, const char **out,
                                        struct error *error);

struct rpc_channel_options {
    /*
     * One address or several, separated by commas (base/address_list.h). A name stands for all of its
     * addresses. The channel resolves it every 5 s and after a lost connection.
     */
    const char *address;
    /*
     * The maximum size of a message; 0 = 1 MiB. A larger request fails with RESOURCE_EXHAUSTED before it is
     * sent.
     */
    size_t message_max_bytes;
    /*
     * If true, rpc_channel_open connects before it returns, and fails with UNAVAILABLE if it cannot connect
     * to any address. If false, the channel connects in the background.
     */
    bool connect_now;
    /*
     * The server's name in the metrics and the log. The string must outlive the channel. NULL = no metrics,
     * and no name in the log.
     */
    const char *peer;
    struct breaker_options breaker;
    struct retry_options retry;
    size_t calls_max;           /* maximum number of calls in flight; 0 = no limit */
    rpc_authorize_fn authorize; /* for calls with own_token; NULL = they are sent without a token */
    void *authorize_context;    /* the first argument of `authorize`; must outlive the channel */
    /*
     * For an address tls+tcp://HOST:PORT: a PEM file with the trusted authorities, read at each dialling, and
     * the name that the server's certificate must have if the host is given as a number (nng/tls.h), which
     * must outlive the channel. If a name is given, the certificate must have that name.
     */
    const char *tls_ca, *tls_name;
};

/*
 * The inputs and results of a call. The closure_data passed to a stub must point to this struct. To attach
 * other data to a call, embed the struct and use container_of.
 */
struct rpc_client_call {
    /* in */
    uint32_t timeout_ms;        /* the call's budget, including retries; sent to the server; 0 = 1000 */
    const char *traceparent;    /* NULL or "" = none; must stay valid until the closure is called */
    const char *authorization;  /* like traceparent */
    const char *client_address; /* like traceparent; the client on whose behalf a gateway calls */
    /*
     * Whether the program calls for itself and shows its own token, instead of `authorization`. Never set
     * this for a call on behalf of a client.
     */
    bool own_token;
    /*
     * Whether executing the call twice is harmless. If so, the channel also retries a call that the server
     * may have executed, and sends one without an answer to another backend. Do not set it for a long poll.
     */
    bool idempotent;
    /*
     * Whether the caller itself queries the breaker, records the outcome and decides about retries. The call
     * may still go to another backend.
     */
    bool unguarded;
    struct arena *into; /* the arena for the response; NULL = the response is valid only during the closure */
    /* out */
    struct error error; /* OK if the response was delivered */
    bool left;          /* whether the message may have been sent; if not, the server executed nothing */
    /* Whether an earlier try may have been executed, although the last one was refused without execution. */
    bool refused_later;
};

/*
 * Opens a channel, which can carry many calls at the same time. Returns INVALID_ARGUMENT if an address is
 * malformed or given twice, or is one for TLS and tls_ca is missing or cannot be read, and UNAVAILABLE if
 * `connect_now` is set and the connection fails.
 */
MUST_CHECK enum status rpc_channel_open(const struct rpc_channel_options *options, struct rpc_channel **out,
                                        struct error *error);

/*
 * Fails the calls in flight with UNAVAILABLE and waits until their closures have returned. Later calls fail
 * with UNAVAILABLE immediately, on the caller's thread. The channel and its guard may still be queried. Do
 * not call this function from an nng callback.
 */
void rpc_channel_stop(struct rpc_channel *channel);

/*
 * Stops the channel unless it has already been stopped, then closes it. No thread may use the channel or its
 * guard afterwards. NULL is allowed.
 */
void rpc_channel_close(struct rpc_channel *channel);

/* Returns whether a backend is connected. Any thread. */
bool rpc_channel_connected(struct rpc_channel *channel);

/*
 * Returns the channel's guard, for callers that make unguarded calls. The guard lives as long as the channel.
 */
struct rpc_guard *rpc_channel_guard(struct rpc_channel *channel);

/* Returns the address with which the channel was opened. */
const char *rpc_channel_address(const struct rpc_channel *channel);

/* Creates a client for one service over the channel. Returns NULL when out of memory. */
struct rpc_client *rpc_client_create(struct rpc_channel *channel,
                                     const ProtobufCServiceDescriptor *descriptor);
void rpc_client_destroy(struct rpc_client *client);

/* Returns the `service` argument for the generated stubs. Any thread may call any stub at any time. */
ProtobufCService *rpc_client_service(struct rpc_client *client);

/*
 * Makes a call and waits for its reply. Returns the status of call->error, which is UNIMPLEMENTED if the
 * service has no such method. `call` has the same meaning as for a stub, and may be reused. On OK, *response
 * is allocated in `arena`. Call this function only on threads that may block, not from an nng callback.
 */
MUST_CHECK enum status rpc_client_call_wait(struct rpc_client *client, const char *method,
                                            const ProtobufCMessage *request, struct rpc_client_call *call,
                                            struct arena *arena, ProtobufCMessage **response);

#endif
