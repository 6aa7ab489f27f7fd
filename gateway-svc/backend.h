/* The services behind the gateway: their public methods, and calls to them. */
#ifndef GATEWAY_SVC_BACKEND_H
#define GATEWAY_SVC_BACKEND_H

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

/* A method that callers from outside may call, from the compiled-in descriptors. */
struct backend_method {
    const ProtobufCServiceDescriptor *service;
    const ProtobufCMethodDescriptor *method;
    unsigned index; /* in the service */
    size_t client;  /* backend.c's own */
    enum backend_peer peer;
    bool lists;           /* its answer has pages */
    bool no_side_effects; /* option idempotency_level of the .proto file */
    bool idempotent;      /* also with side effects */
};

struct backend;

struct backend_options {
    const char *addresses[BACKEND_COUNT];
    size_t message_max_bytes;
};

/* Connects in the background. RESOURCE_EXHAUSTED, or INVALID_ARGUMENT for a malformed address. */
MUST_CHECK enum status backend_open(const struct backend_options *options, struct backend **out,
                                    struct error *error);

/* Fails the calls in flight with UNAVAILABLE, and every later one. */
void backend_stop(struct backend *backend);
void backend_close(struct backend *backend);

/* For readiness, and its once-a-second care. */
struct rpc_channel *backend_channel(struct backend *backend, enum backend_peer peer);

/* The method "CreateBooking" of "screening.v1.BookingService"; NULL if there is none for the public. Any
 * thread. */
const struct backend_method *backend_find(const struct backend *backend, const char *service,
                                          size_t service_length, const char *method);

/* All of them. */
const struct backend_method *backend_methods(const struct backend *backend, size_t *count);

/*
 * A call on its way: the first member of what the closure gets. It is set to zero, then the caller fills in
 * `rpc` as rpc/channel.h says, but `idempotent`.
 */
struct backend_call {
    struct rpc_client_call rpc; /* first member */
    /* backend.c's own */
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
 * Calls it, asynchronously, when it is the turn of rpc.client_address: RESOURCE_EXHAUSTED `OVERLOADED` with
 * retry_after_ms if that does not come within the budget. Of a creation without an id the id is filled in
 * before. `request` and `call` must stay until the closure has been called, which is on a thread of nng, on
 * one that writes large answers, or still on this one. The response is unpacked into rpc.into, which must be
 * given.
 */
void backend_call(struct backend *backend, const struct backend_method *method, ProtobufCMessage *request,
                  ProtobufCClosure closure, struct backend_call *call);

#endif
