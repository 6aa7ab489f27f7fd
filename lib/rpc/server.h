/*
 * The RPC server, on nng REP. A call is one message each way, and methods are dispatched through protobuf-c's
 * service descriptors.
 *
 * A service is a filled-in vtable of generated type (SCREENING__V1__..._SERVICE__INIT). The server calls its
 * methods on nng's callback threads. A method decodes its request into a command, hands it on and returns. It
 * never blocks. The reply follows later, from any thread. The handler either calls the generated closure with
 * the response (closure_data is the struct rpc_call) or calls rpc_call_fail.
 *
 * Before it calls a method, the server checks the size and the envelope, and that the payload is a valid
 * message whose strings are valid UTF-8 without NUL. Otherwise it replies INVALID_ARGUMENT "field: rule". If
 * a call's budget ends before the reply, the server immediately replies DEADLINE_EXCEEDED itself and drops
 * the handler's later reply. The server itself provides grpc.health.v1.Health and rpc.v1.Introspection.
 */
#ifndef SCREENING_RPC_SERVER_H
#define SCREENING_RPC_SERVER_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

struct rpc_server;
struct rpc_call;

struct rpc_server_options {
    const char *address; /* "tcp://127.0.0.1:7101", "ipc:///path" */
    /*
     * A second address, for gateways that call for many clients. NULL or empty = none. Only calls that arrive
     * here are counted by the client-address in their metadata.
     */
    const char *gateway_address;
    const char *program; /* its name for Introspection and error messages */
    /*
     * The number of requests that the server can hold at a time; 0 = 4608. It must exceed the total capacity
     * of the queues that the handlers fill, so that an excess request is refused instead of waiting in the
     * transport.
     */
    size_t contexts;
    size_t message_max_bytes;    /* 0 = 1 MiB; nng closes the connection of a larger message */
    uint32_t default_timeout_ms; /* for calls without timeout_ms; 0 = 1000 */
    uint32_t max_timeout_ms;     /* the longest timeout of a call; 0 = 60000 */
    /*
     * How long a reply waits for the client to take it; 0 = 2000. A reply that times out is dropped, and so
     * are further replies to that client until it takes one.
     */
    uint32_t reply_timeout_ms;
};

enum { RPC_DEGRADED_MAX = 8, RPC_DEGRADED_TEXT_SIZE = 96 };

/*
 * Writes up to RPC_DEGRADED_MAX reasons why the service is degraded. Returns their number. Any thread; must
 * be quick.
 */
typedef size_t (*rpc_degraded_fn)(void *context, char reasons[RPC_DEGRADED_MAX][RPC_DEGRADED_TEXT_SIZE]);

/*
 * Returns NULL if the service is ready (Health.Check SERVING). Otherwise returns the reason, a string that
 * stays valid. Any thread; must be quick.
 */
typedef const char *(*rpc_not_ready_fn)(void *context);

/*
 * Binds the addresses. Does not reply to anything yet. Returns INVALID_ARGUMENT "rpc-listen: ..." or
 * "gateway-listen: ..." if an address is malformed or taken.
 */
MUST_CHECK enum status rpc_server_open(const struct rpc_server_options *options, struct rpc_server **out,
                                       struct error *error);

/* Adds a service. The caller owns the vtable, which must outlive the server. Call before rpc_server_start. */
void rpc_server_add(struct rpc_server *server, ProtobufCService *service);

/*
 * Sets the callbacks that Health and Introspection query. Call before rpc_server_start. Without them the
 * server is always ready and never degraded.
 */
void rpc_server_observe(struct rpc_server *server, rpc_not_ready_fn not_ready, rpc_degraded_fn degraded,
                        void *context);

/*
 * Starts to reply. Until rpc_server_serve only Health and Introspection are served. Every other method gets
 * UNAVAILABLE `NOT_READY`.
 */
MUST_CHECK enum status rpc_server_start(struct rpc_server *server, struct error *error);

/* Serves the services added by rpc_server_add from now on. They must be ready. Any thread. */
void rpc_server_serve(struct rpc_server *server);

/*
 * Refuses new requests with UNAVAILABLE `DRAINING` and retry_after_ms 300 (Health: NOT_SERVING) while the
 * calls in flight finish. It keeps refusing until for 200 ms no request has arrived and no call was in
 * flight, but for 2 s at most. Then it waits for the remaining calls. All this takes at most `grace_ms`.
 *
 * Returns whether every call was answered. If so, the listener and all connections are closed immediately. A
 * client that was asked to retry in 300 ms then cannot connect, so it knows that its request did not leave.
 * Call it from the thread that calls rpc_server_close.
 *
 * Whatever it returns, no handler, rpc_not_ready_fn or rpc_degraded_fn runs or starts afterwards, so the
 * caller may close what they use. It waits for a running handler even beyond `grace_ms`. Handlers may still
 * reply to unanswered calls; rpc_server_close waits for them.
 */
bool rpc_server_drain(struct rpc_server *server, uint32_t grace_ms);

/*
 * Waits until all calls are released, ends the remaining sends, and closes the listener and all connections.
 */
void rpc_server_close(struct rpc_server *server);

/*
 * Returns NULL if the server is ready, serving and not draining (Health: SERVING). Otherwise returns the
 * reason. Any thread.
 */
const char *rpc_server_not_ready(struct rpc_server *server);

/* Returns the number of calls received and not yet answered. Any thread. */
size_t rpc_server_in_flight(struct rpc_server *server);

/* ---- a call in flight: from the method's invocation until the reply, used by one thread at a time ---- */

/*
 * Replies with an error, whose `status` must not be OK. Frees the call with its request message and its
 * arena, as the generated closure does.
 */
void rpc_call_fail(struct rpc_call *call, const struct error *error);

/* Packs and sends `response`, which the caller still owns, as the generated closure does. */
void rpc_call_reply(struct rpc_call *call, const ProtobufCMessage *response);

/*
 * Returns the end of the client's budget on the monotonic clock. The budget starts with the request's
 * arrival.
 */
int64_t rpc_call_deadline_ns(const struct rpc_call *call);

/* Returns an arena that is freed with the call. The request message is in it. Commands may use it too. */
struct arena *rpc_call_arena(struct rpc_call *call);

/* Returns the maximum size of a packed response. A larger one is replaced by RESOURCE_EXHAUSTED. */
size_t rpc_call_response_max_bytes(const struct rpc_call *call);

/*
 * Returns the sender of the call for base/fair_queue.h. This is its connection and, from a gateway, the
 * client address that the gateway sent.
 */
uint64_t rpc_call_source(const struct rpc_call *call);

/*
 * Between these two calls the replies of the calling thread are held. rpc_server_send_answers then sends them
 * together, on a thread of the server if there are many. A thread replies for one server only, and holds
 * replies no longer than it takes to give those that are ready.
 */
void rpc_server_hold_answers(struct rpc_server *server);
void rpc_server_send_answers(struct rpc_server *server);

/* Returns the metadata value for `key`, or NULL if there is none. It is valid until the call is answered. */
const char *rpc_call_metadata(const struct rpc_call *call, const char *key);

/*
 * Returns whether an absent optional field was left out on purpose. If not, the client has an earlier
 * version, for which absent means 0.
 */
bool rpc_call_has_explicit_presence(const struct rpc_call *call);

/*
 * Returns the id for logs. It is the trace id of `traceparent`, otherwise `x-request-id`, otherwise an id
 * generated for this call. Never NULL. It is valid until the call is answered.
 */
const char *rpc_call_request_id(struct rpc_call *call);

/* Returns the call's `traceparent` if it is well-formed, otherwise "". */
const char *rpc_call_traceparent(const struct rpc_call *call);

#endif
