/* The services behind the gateway. Finds their public methods and calls them. */
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

enum backend_peer { BACKEND_HOSPITAL, BACKEND_BOOKING, BACKEND_HISTORY, BACKEND_COUNT };

extern const char *const BACKEND_NAMES[BACKEND_COUNT]; /* "hospital-svc", ... */

/* A method that external clients may call, from the compiled-in descriptors. */
struct backend_method {
    const ProtobufCServiceDescriptor *service;
    const ProtobufCMethodDescriptor *method;
    unsigned index; /* its position in the service */
    size_t client;  /* private to backend.c */
    enum backend_peer peer;
    bool lists;           /* whether its response is paged */
    bool no_side_effects; /* option idempotency_level of the .proto file */
    bool idempotent;      /* NO_SIDE_EFFECTS or IDEMPOTENT */
};

struct backend;

struct backend_options {
    const char *addresses[BACKEND_COUNT];
    size_t message_max_bytes;
};

/* Connects in the background. Returns RESOURCE_EXHAUSTED, or INVALID_ARGUMENT for a malformed address. */
MUST_CHECK enum status backend_open(const struct backend_options *options, struct backend **out,
                                    struct error *error);

/* Fails the calls in flight and all later ones with UNAVAILABLE. */
void backend_stop(struct backend *backend);
void backend_close(struct backend *backend);

/* Returns the channel to a service, for the readiness check and for the maintenance once a second. */
struct rpc_channel *backend_channel(struct backend *backend, enum backend_peer peer);

/*
 * Returns the method, such as "CreateBooking" of "screening.v1.BookingService", or NULL if no such method is
 * public. Any thread.
 */
const struct backend_method *backend_find(const struct backend *backend, const char *service,
                                          size_t service_length, const char *method);

/* Returns all public methods. */
const struct backend_method *backend_methods(const struct backend *backend, size_t *count);

/*
 * A call in flight. The closure's data points to it, so embed it in the struct that the closure needs. The
 * caller zeroes it, then fills in `rpc` as rpc/channel.h says, except `idempotent`.
 */
struct backend_call {
    struct rpc_client_call rpc;
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
 * RESOURCE_EXHAUSTED `OVERLOADED` and retry_after_ms if the turn does not come within the budget. A creation
 * without an id gets one first. `request` and `call` must live until the closure has been called. It is
 * called on one of nng's threads, on a thread that writes large responses, or on the caller's thread before
 * this returns. The response is unpacked into rpc.into, which must be set.
 */
void backend_call(struct backend *backend, const struct backend_method *method, ProtobufCMessage *request,
                  ProtobufCClosure closure, struct backend_call *call);

#endif
