/*
 * The RPC server, on nng REP. A call is one message in each direction. Methods are dispatched through
 * protobuf-c's service descriptors.
 *
 * A service is a filled-in vtable of a generated type (SCREENING__V1__..._SERVICE__INIT). The server calls
 * its methods on nng's callback threads. A method decodes its request into a command, submits it and returns.
 * It never blocks. The reply follows later, from any thread. The handler either calls the generated closure
 * with the response (closure_data is the struct rpc_call) or calls rpc_call_fail.
 *
 * Before it calls a method, the server checks the envelope, and that the payload is a valid message whose
 * strings are valid UTF-8 without NUL. If a check fails, it replies INVALID_ARGUMENT "field: rule". If a
 * call's budget ends before the reply, the server immediately replies DEADLINE_EXCEEDED itself and drops the
 * handler's later reply. The server itself provides grpc.health.v1.Health and rpc.v1.Introspection.
 */
#ifndef SCREENING_RPC_SERVER_H
#define SCREENING_RPC_SERVER_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/caller.h"
#include "base/arena.h"
#include "base/status.h"

struct rpc_server;
struct rpc_call;

/*
 * Identifies a caller by the value of its metadata entry `authorization`. Allocates *out in `arena`. Returns
 * UNAUTHENTICATED if the value proves nothing, and RESOURCE_EXHAUSTED if too many such values have come from
 * `source`: rpc_call_source at a listener. On `address`, which only services can reach, and for a call that a
 * gateway makes for itself, it is AUTH_TRUSTED_PLACE. Any thread; must not block.
 */
typedef enum status (*rpc_identify_fn)(void *context, const char *authorization, struct auth_source source,
                                       struct arena *arena, const struct auth_caller **out,
                                       struct error *error);

/*
 * Takes one call, a read or a change, from the allowance of a caller. Returns false if nothing remains of it,
 * and sets *retry_after_ms. Any thread; must not block.
 */
typedef bool (*rpc_allow_fn)(void *context, const struct auth_caller *caller, bool reads,
                             uint32_t *retry_after_ms);

/* Who may call which method. */
struct rpc_access {
    /* A packed FileDescriptorSet with the access rule of each method (auth/access.h). NULL = no rules. */
    const void *descriptors;
    size_t descriptors_size;
    /*
     * NULL = every caller is AUTH_TRUSTED. Otherwise only a caller with a role that the rule of the method
     * names is served. On `address` only services are served, on `client_address` everybody else, and on
     * `gateway_address` both, but no service on behalf of a client that the gateway names.
     */
    rpc_identify_fn identify;
    rpc_allow_fn allow;    /* called for each call of a person with a token; NULL = no limit */
    void *context;         /* the first argument of `identify` and `allow` */
    bool public_catalogue; /* whether the methods of the catalogue need no token */
};

struct rpc_server_options {
    const char *address; /* "tcp://127.0.0.1:7101", "ipc:///path" */
    /*
     * A second address, for gateways that call for many clients. NULL or empty = none. Only calls on this
     * address may name their client, in the metadata entry client-address.
     */
    const char *gateway_address;
    const char *client_address; /* a third address, for clients that are no services; NULL or empty = none */
    struct rpc_access access;
    const char *program; /* the program's name for Introspection and error messages */
    /*
     * The maximum number of requests that the server holds at a time; 0 = 4608. It must exceed the total
     * capacity of the queues that the handlers fill, so that an excess request is refused instead of waiting
     * in the transport.
     */
    size_t contexts;
    size_t message_max_bytes;    /* 0 = 1 MiB; nng closes the connection that sends a larger message */
    uint32_t default_timeout_ms; /* for calls without timeout_ms; 0 = 1000 */
    uint32_t max_timeout_ms;     /* the maximum timeout of a call; 0 = 60000 */
    /*
     * How long a reply waits for the client to read it; 0 = 2000. A reply that times out is dropped, and so
     * are further replies on that connection that cannot be sent immediately.
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
 * Returns NULL if the service is ready (Health.Check SERVING). Otherwise returns the reason why not, a string
 * that stays valid. Any thread; must be quick.
 */
typedef const char *(*rpc_not_ready_fn)(void *context);

/*
 * Opens a server and binds its addresses. Does not reply yet. Returns INVALID_ARGUMENT "rpc-listen: ..." or
 * "gateway-listen: ..." if an address is malformed or already in use, likewise "client-listen: ...".
 */
MUST_CHECK enum status rpc_server_open(const struct rpc_server_options *options, struct rpc_server **out,
                                       struct error *error);

/*
 * Adds a service. The caller owns the vtable, which must outlive the server. Call this before
 * rpc_server_start.
 */
void rpc_server_add(struct rpc_server *server, ProtobufCService *service);

/*
 * Sets the callbacks that Health and Introspection query. Call this before rpc_server_start. Without
 * callbacks the server is ready from rpc_server_serve until it starts draining, and is never degraded.
 */
void rpc_server_observe(struct rpc_server *server, rpc_not_ready_fn not_ready, rpc_degraded_fn degraded,
                        void *context);

/*
 * Starts to reply. Returns INVALID_ARGUMENT if a method has no access rule. Until rpc_server_serve only
 * Health and Introspection are served. Calls to any other service fail with UNAVAILABLE `NOT_READY`.
 */
MUST_CHECK enum status rpc_server_start(struct rpc_server *server, struct error *error);

/* From now on, serves the services added by rpc_server_add, which must be ready. Any thread. */
void rpc_server_serve(struct rpc_server *server);

/*
 * Refuses new requests with UNAVAILABLE `DRAINING` and retry_after_ms 300 (Health: NOT_SERVING) while the
 * calls in flight finish. This phase ends once no request has arrived and no call has been in flight for 200
 * ms, at the latest after 2 s. Then the server waits only for the remaining calls. The drain takes at most
 * `grace_ms`, unless a handler is still running.
 *
 * Returns whether every call was answered. If so, the listener and all connections are closed immediately. A
 * client that retries after 300 ms then cannot connect, so it knows that its request was not sent. Call this
 * function from the thread that calls rpc_server_close.
 *
 * In either case, no handler, rpc_not_ready_fn or rpc_degraded_fn runs afterwards, so the caller may close
 * what they use. The function waits for a running handler even beyond `grace_ms`. Handlers may still reply to
 * unanswered calls; rpc_server_close waits for them.
 */
bool rpc_server_drain(struct rpc_server *server, uint32_t grace_ms);

/*
 * Waits until all calls are released, ends the remaining sends, and closes the listener and all connections.
 * NULL is allowed.
 */
void rpc_server_close(struct rpc_server *server);

/*
 * Returns NULL if the server is ready, serving and not draining (Health: SERVING). Otherwise returns the
 * reason. Any thread.
 */
const char *rpc_server_not_ready(struct rpc_server *server);

/* Returns the number of calls received and not yet answered. Any thread. */
size_t rpc_server_in_flight(struct rpc_server *server);

/* ---- a call in flight, from the method's invocation until the reply; one thread at a time ---- */

/*
 * Replies with an error, whose `status` must not be OK. Frees the call with its request message and its
 * arena, as the generated closure does.
 */
void rpc_call_fail(struct rpc_call *call, const struct error *error);

/*
 * Packs and sends `response`, then frees the call, as the generated closure does. The caller still owns
 * `response`.
 */
void rpc_call_reply(struct rpc_call *call, const ProtobufCMessage *response);

/*
 * Returns the end of the client's budget on the monotonic clock. The budget starts when the request arrives.
 */
int64_t rpc_call_deadline_ns(const struct rpc_call *call);

/* Returns the call's arena, which also holds the request message. Commands may use it too. */
struct arena *rpc_call_arena(struct rpc_call *call);

/*
 * Returns the caller, never NULL. Its roles are only those by which it may call the method. Valid until the
 * call is answered.
 */
const struct auth_caller *rpc_call_caller(const struct rpc_call *call);

/* Returns the maximum size of a packed response. A larger response becomes RESOURCE_EXHAUSTED. */
size_t rpc_call_response_max_bytes(const struct rpc_call *call);

/*
 * Returns a number that identifies the sender of the call, for base/fair_queue.h. It is made from the
 * connection and, if the call came from a gateway, the client address that the gateway sent.
 */
uint64_t rpc_call_source(const struct rpc_call *call);

/*
 * rpc_server_hold_answers holds the replies of the calling thread until rpc_server_send_answers, which sends
 * them together, on a thread of the server if there are many. A thread must send replies of one server only,
 * and must not wait for anything while it holds replies.
 */
void rpc_server_hold_answers(struct rpc_server *server);
void rpc_server_send_answers(struct rpc_server *server);

/*
 * Returns the metadata value for `key`, or NULL if there is none. The value is valid until the call is
 * answered.
 */
const char *rpc_call_metadata(const struct rpc_call *call, const char *key);

/*
 * Returns whether an absent optional field was left out deliberately. If not, the client uses an earlier
 * version of the protocol, in which an absent field means 0.
 */
bool rpc_call_has_explicit_presence(const struct rpc_call *call);

/*
 * Returns the call's id for the log: the trace id of `traceparent`, otherwise `x-request-id`, otherwise an id
 * generated for this call. Never NULL. Valid until the call is answered.
 */
const char *rpc_call_request_id(struct rpc_call *call);

/* Returns the call's `traceparent` if it is well-formed, otherwise "". */
const char *rpc_call_traceparent(const struct rpc_call *call);

#endif
