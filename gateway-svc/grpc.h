/*
 * gRPC over HTTP/2: unary calls of every public method, grpc.health.v1.Health, and grpc.reflection.v1 and
 * v1alpha. POST /SERVICE/METHOD with application/grpc or application/grpc+proto.
 */
#ifndef SCREENING_GATEWAY_SVC_GRPC_H
#define SCREENING_GATEWAY_SVC_GRPC_H

#include "api.h"

enum { GRPC_PREFIX_SIZE = 5 }; /* a flag and a length in front of each message */

/* Returns whether the Content-Type of a request is that of gRPC, in any encoding. */
bool grpc_is(const struct http_request *request);

/* Returns whether the request is passed to grpc_handle before its body, because it may be a stream. */
bool grpc_reads_stream(const struct http_request *request);

void grpc_handle(struct gateway *gateway, struct http_request *request);

/* Responds to a request of gRPC that the HTTP server refused. For http_options.refuse. */
void grpc_refuse(struct http_request *request, unsigned code, const char *why);

/* ---- pure; visible for tests ---- */

/*
 * Checks, in a packed FileDescriptorSet, that each method that the gateway itself serves has an access rule
 * that opens it to everybody, because the gateway asks for no token. Fails like access_rules_load, and with
 * INVALID_ARGUMENT for another rule. Call it before grpc_handle.
 */
MUST_CHECK enum status grpc_check_rules(const void *set, size_t set_size, struct error *error);

/* Returns the size of the message behind a prefix of GRPC_PREFIX_SIZE bytes. */
size_t grpc_message_size(const uint8_t *prefix);

/*
 * Finds the only message in a body. Returns UNIMPLEMENTED if there is not exactly one, or if it is
 * compressed.
 */
MUST_CHECK enum status grpc_unframe(const char *body, size_t size, const char **message, size_t *message_size,
                                    struct error *error);

/*
 * Reads grpc-timeout, such as "100m", in whole milliseconds, rounded up and limited to `max_ms`. Returns
 * INVALID_ARGUMENT for other texts, and DEADLINE_EXCEEDED for 0.
 */
MUST_CHECK enum status grpc_timeout_parse(const char *text, uint32_t max_ms, uint32_t *ms,
                                          struct error *error);

/* Percent-encodes a message for grpc-message. `out` has 3 * strlen(message) + 1 bytes. */
void grpc_encode_message(const char *message, char *out);

#endif
