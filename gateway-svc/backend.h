/* Finds and calls the public methods of the services behind the gateway. */
#ifndef SCREENING_GATEWAY_SVC_BACKEND_H
#define SCREENING_GATEWAY_SVC_BACKEND_H

#include "answers.h"
#include "turns.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "rpc/channel.h"
#include "service/security.h"

enum backend_peer { BACKEND_HOSPITAL, BACKEND_BOOKING, BACKEND_HISTORY, BACKEND_COUNT };

extern const char *const BACKEND_NAMES[BACKEND_COUNT]; /* "hospital-svc", ... */

/* A method that external clients may call, as described by the compiled-in descriptors. */
struct backend_method {
    const ProtobufCServiceDescriptor *service;
    const ProtobufCMethodDescriptor *method;
    unsigned index; /* the method's position in the service */
    size_t client;  /* private to backend.c */
    enum backend_peer peer;
    bool lists;           /* whether the method returns pages */
    bool no_side_effects; /* whether idempotency_level in the .proto file is NO_SIDE_EFFECTS */
    bool idempotent;      /* whether it is NO_SIDE_EFFECTS or IDEMPOTENT */
};

struct backend;

struct backend_options {
    const char *addresses[BACKEND_COUNT];
    size_t message_max_bytes;
    struct security *security; /* the gateway's own; must outlive the backend */
};

/*
 * Opens the channels, which connect in the background. Returns RESOURCE_EXHAUSTED when out of memory or
 * threads, and INVALID_ARGUMENT for a malformed address.
 */
MUST_CHECK enum status backend_open(const struct backend_options *options, struct backend **out,
                                    struct error *error);

/* Fails the calls in flight with UNAVAILABLE, and waiting and later calls with RESOURCE_EXHAUSTED. */
void backend_stop(struct backend *backend);
void backend_close(struct backend *backend);

/* Returns the channel to a service, which the backend owns. */
struct rpc_channel *backend_channel(struct backend *backend, enum backend_peer peer);

/*
 * Returns the method, such as "CreateBooking" of "screening.v1.BookingService", or NULL if no such method is
 * public. `service` consists of `service_length` bytes. Any thread.
 */
const struct backend_method *backend_find(const struct backend *backend, const char *service,
                                          size_t service_length, const char *method);

/* Returns all public methods, and sets *count to their number. */
const struct backend_method *backend_methods(const struct backend *backend, size_t *count);

/*
 * A call in flight. The closure's data points to it, so embed it in the struct that the closure needs. Set it
 * to zero, then fill in `http`, and `rpc` as described in rpc/channel.h, except `idempotent`.
 */
struct backend_call {
    struct rpc_client_call rpc;
    struct http_request *http; /* the request that the call answers */
    /* The following members are private to backend.c. */
    struct turn turn;
    struct answer answer;
    struct backend *backend;
    const struct backend_method *method;
    ProtobufCMessage *request;
    const ProtobufCMessage *response;
    ProtobufCClosure closure;
    char id[37];
};

/*
 * Starts the call when it is the turn of rpc.client_address. Does not block. The call fails with
 * RESOURCE_EXHAUSTED `OVERLOADED` and retry_after_ms if the turn does not come within the budget, or after
 * backend_stop, or, for a list, if the client may be given no more answers (http_reserve_answer). If a
 * creation has no id, it first gets one. `request` and `call` must live until the closure has been called.
 * The closure is called on one of nng's threads, on a thread that writes large responses, on a thread that
 * gives up waiting turns, or on the caller's thread before backend_call returns. The response is unpacked
 * into rpc.into, which must be set.
 */
void backend_call(struct backend *backend, const struct backend_method *method, ProtobufCMessage *request,
                  ProtobufCClosure closure, struct backend_call *call);

#endif
