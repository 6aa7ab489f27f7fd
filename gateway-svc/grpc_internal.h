/* Private to grpc*.c: what unary calls and streams share. */
#ifndef SCREENING_GATEWAY_SVC_GRPC_INTERNAL_H
#define SCREENING_GATEWAY_SVC_GRPC_INTERNAL_H

#include "grpc.h"

extern const char GRPC_TYPE[]; /* "application/grpc" */

/* ---- grpc.c ---- */

/* Returns UNIMPLEMENTED if the request's messages may be compressed. */
MUST_CHECK enum status grpc_check_encoding(const struct http_request *request, struct error *error);

/* Reads grpc-timeout, limited to `max_ms`. Without the field, sets *ms to `default_ms`. */
MUST_CHECK enum status grpc_read_timeout(const struct http_request *request, uint32_t max_ms,
                                         uint32_t default_ms, uint32_t *ms, struct error *error);

/* Reads the only message of a request with a whole body, into the request's arena. */
MUST_CHECK enum status grpc_read_message(struct http_request *request,
                                         const ProtobufCMessageDescriptor *input, ProtobufCMessage **out,
                                         struct error *error);

/* Packs the message behind its prefix into the arena. Returns NULL when out of memory. */
uint8_t *grpc_frame(struct arena *arena, const ProtobufCMessage *message, size_t *size);

/* Responds with one message and status OK. */
void grpc_respond_message(struct http_request *request, const ProtobufCMessage *message);

/* ---- grpc_health.c ---- */

/*
 * Answer the methods of grpc.health.v1.Health, with the readiness of the gateway, for "" and for each public
 * service. If they return an error, the caller responds with it.
 */
MUST_CHECK enum status grpc_health_check(struct gateway *gateway, struct http_request *request,
                                         struct error *error);
MUST_CHECK enum status grpc_health_watch(struct gateway *gateway, struct http_request *request,
                                         struct error *error);

/* ---- grpc_reflection.c ---- */

/* Answers ServerReflectionInfo like the functions above. The body of the request comes in pieces. */
MUST_CHECK enum status grpc_reflect(struct gateway *gateway, struct http_request *request,
                                    struct error *error);

#endif
