/*
 * The RPC server: nng REP, one message each way, methods dispatched from protobuf-c's own service
 * descriptors.
 *
 * A service is a filled-in vtable of generated type (SCREENING__V1__..._SERVICE__INIT). Its methods are
 * called on nng's callback threads: they decode into a command, hand it on and return; they never block. The
 * answer comes later, from any thread: either by calling the generated closure with the response
 * (closure_data is the struct rpc_call), or with rpc_call_fail.
 *
 * Before a method is called the server has checked the size, the envelope, that the payload is a valid
 * message and that every string in it is valid UTF-8 without NUL (INVALID_ARGUMENT "field: rule" otherwise).
 * When a call's budget ends before its answer, the server answers DEADLINE_EXCEEDED at that moment and drops
 * the answer that comes later. grpc.health.v1.Health and rpc.v1.Introspection are served by the server
 * itself.
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
    /* NULL or empty = none: a second address, for gateways that speak for many callers. Only calls that come
     * there are counted by the client-address that they name. */
    const char *gateway_address;
    const char *program; /* for Introspection */
    /* Requests that the transport holds at once; 0 = 4608. More than all queues behind it may hold, so that
     * the next one is refused and does not wait. */
    size_t contexts;
    size_t message_max_bytes;    /* 0 = 1 MiB; a larger message closes its connection */
    uint32_t default_timeout_ms; /* for calls without timeout_ms; 0 = 1000 */
    uint32_t max_timeout_ms;     /* 0 = 60000 */
    uint32_t reply_timeout_ms; /* how long an answer waits for a client to take it, then it is dropped, and so
                                  are that client's further answers until it takes one; 0 = 2000 */
};

enum { RPC_DEGRADED_MAX = 8, RPC_DEGRADED_TEXT_SIZE = 96 };

/* Writes up to RPC_DEGRADED_MAX reasons for which the service is degraded; returns how many. Any thread,
 * quick. */
typedef size_t (*rpc_degraded_fn)(void *context, char reasons[RPC_DEGRADED_MAX][RPC_DEGRADED_TEXT_SIZE]);

/* NULL if the service is ready (Health.Check SERVING), else why it is not, a line that stays. Any thread,
 * quick. */
typedef const char *(*rpc_not_ready_fn)(void *context);

/*
 * Binds the addresses; answers nothing yet. INVALID_ARGUMENT "rpc-listen: ..." or "gateway-listen: ..." if
 * one is malformed or taken.
 */
MUST_CHECK enum status rpc_server_open(const struct rpc_server_options *options, struct rpc_server **out,
                                       struct error *error);

/* Adds a service; the vtable stays the caller's and must outlive the server. Before rpc_server_start. */
void rpc_server_add(struct rpc_server *server, ProtobufCService *service);

/*
 * Whom Health and Introspection ask. Before rpc_server_start. Without it the server is always ready, never
 * degraded.
 */
void rpc_server_observe(struct rpc_server *server, rpc_not_ready_fn not_ready, rpc_degraded_fn degraded,
                        void *context);

/*
 * Begins to answer. Until rpc_server_serve is called, only Health and Introspection do; every other method is
 * answered UNAVAILABLE `NOT_READY`.
 */
MUST_CHECK enum status rpc_server_start(struct rpc_server *server, struct error *error);

/* From now on the services are called. Those added by rpc_server_add must be ready for it. Any thread. */
void rpc_server_serve(struct rpc_server *server);

/*
 * Answers new requests UNAVAILABLE `DRAINING` with retry_after_ms 300 (Health: NOT_SERVING) until no new
 * request has arrived for 200 ms, or for 2 s in all, while those in hand are finished; then waits for these,
 * at most `grace_ms` in all. Returns whether every call was answered; if so, the listener and all connections
 * are closed at once: whoever was told to come again in 300 ms then finds nobody, and knows that his request
 * did not leave. By the thread that calls rpc_server_close.
 *
 * Whatever it returns, no handler, rpc_ready_fn or rpc_degraded_fn runs or begins afterwards: what they use
 * may be closed. A handler that is running is waited for, beyond `grace_ms` too. Unanswered calls may be
 * answered until rpc_server_close.
 */
bool rpc_server_drain(struct rpc_server *server, uint32_t grace_ms);

/* Closes the listener and all connections, waits for sends under way and for calls in hand to be released. */
void rpc_server_close(struct rpc_server *server);

/* NULL if it is ready, answering and not draining, which Health calls SERVING; else why not. Any thread. */
const char *rpc_server_not_ready(struct rpc_server *server);

/* Calls received and not yet answered. Any thread. */
size_t rpc_server_in_flight(struct rpc_server *server);

/* ---- a call in hand: from the method's invocation until it is answered, by one thread at a time ---- */

/*
 * Answers with an error; `error->status` must not be OK. The call and all that came with it (the request
 * message, the arena) are gone afterwards; so they are when the generated closure has been called.
 */
void rpc_call_fail(struct rpc_call *call, const struct error *error);

/* The same as calling the generated closure: packs and sends `response`, which stays the caller's. */
void rpc_call_reply(struct rpc_call *call, const ProtobufCMessage *response);

/* When the caller's budget ends, counted from the request's arrival; monotonic. */
int64_t rpc_call_deadline_ns(const struct rpc_call *call);

/* Memory that lives as long as the call: the request message lies in it, commands may too. */
struct arena *rpc_call_arena(struct rpc_call *call);

/* How large a packed response may be: a larger one is answered RESOURCE_EXHAUSTED instead. */
size_t rpc_call_response_max_bytes(const struct rpc_call *call);

/* Who sent the call, for base/fair_queue.h: its connection and, from a gateway, the address that it speaks
 * for. */
uint64_t rpc_call_source(const struct rpc_call *call);

/*
 * Between these two the calling thread's answers are held; then they are sent together, by a thread of the
 * server if they are many. A thread answers for one server, and holds back for no longer than it takes to
 * give the answers that are ready.
 */
void rpc_server_hold_answers(struct rpc_server *server);
void rpc_server_send_answers(struct rpc_server *server);

/* The value sent under `key`, NULL if none. Valid while the call is in hand. */
const char *rpc_call_metadata(const struct rpc_call *call, const char *key);

/* Whether a field that may be absent was left out on purpose: if not, the caller is of an earlier version,
 * for which absent means 0. */
bool rpc_call_has_explicit_presence(const struct rpc_call *call);

/*
 * For logs: the trace id of `traceparent`, else `x-request-id`, else an id made for this call. Never NULL;
 * valid while the call is in hand.
 */
const char *rpc_call_request_id(struct rpc_call *call);

/* The `traceparent` that came with the call if it is well-formed, else "". */
const char *rpc_call_traceparent(const struct rpc_call *call);

#endif
