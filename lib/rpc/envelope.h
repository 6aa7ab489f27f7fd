/* Packs rpc.v1.Request and rpc.v1.Response directly into nng messages. Pure; any thread. */
#ifndef SCREENING_RPC_ENVELOPE_H
#define SCREENING_RPC_ENVELOPE_H

#include <nng/nng.h>
#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/*
 * NNG_OPT_RECVMAXSZ also counts the request id of REQ/REP, which precedes the envelope and takes
 * RPC_NNG_HEADER_BYTES.
 */
enum { RPC_NNG_HEADER_BYTES = 4, RPC_MESSAGE_MAX_DEFAULT = 1024 * 1024 };

struct rpc_request {
    const char *method; /* "screening.v1.BookingService/CreateBooking" */
    const ProtobufCMessage *message;
    uint32_t timeout_ms;
    const char *traceparent;    /* NULL or "" = none */
    const char *authorization;  /* like traceparent */
    const char *client_address; /* like traceparent; the client on whose behalf a gateway calls */
};

/*
 * Packs a request. Returns RESOURCE_EXHAUSTED if the envelope would exceed `max_bytes`, or when out of
 * memory. The caller owns *out.
 */
MUST_CHECK enum status rpc_envelope_request(const struct rpc_request *request, size_t max_bytes,
                                            nng_msg **out, struct error *error);

/*
 * For a retry: replaces the timeout `old_ms` of a packed request with `timeout_ms`, which must not be larger.
 */
void rpc_envelope_shorten(nng_msg *request, uint32_t old_ms, uint32_t timeout_ms);

/* Packs a successful response. Fails like rpc_envelope_request. */
MUST_CHECK enum status rpc_envelope_response(const ProtobufCMessage *message, size_t max_bytes, nng_msg **out,
                                             struct error *error);

/* Packs a response that reports `error`. Returns NULL when out of memory. */
nng_msg *rpc_envelope_error(const struct error *error);

#endif
