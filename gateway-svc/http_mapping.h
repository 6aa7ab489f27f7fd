/* Maps the services' errors to HTTP, and decides which messages and methods are public. Pure. */
#ifndef SCREENING_GATEWAY_SVC_HTTP_MAPPING_H
#define SCREENING_GATEWAY_SVC_HTTP_MAPPING_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

#include "base/status.h"

/*
 * Returns the REST status code of `error`, which is not OK. A reason that is more specific than the status
 * decides.
 */
unsigned http_rest_code(const struct error *error);

/* Returns the Connect status code that the protocol prescribes. */
unsigned http_connect_code(enum status status);

/* Returns the Connect protocol's word, such as "invalid_argument". */
const char *http_connect_word(enum status status);

/*
 * Returns the message for the client. It is the service's message, or a generic one if the service's message
 * could reveal addresses, databases or bugs.
 */
const char *http_public_message(const struct error *error);

/* Returns the retry delay in whole seconds for Retry-After. 0 means that the response has no such field. */
unsigned http_retry_after_s(const struct error *error, unsigned rest_code);

/*
 * Returns whether clients may call a method. Returns false for methods that only the services themselves use.
 */
bool http_is_public(const ProtobufCServiceDescriptor *service, const ProtobufCMethodDescriptor *method);

#endif
