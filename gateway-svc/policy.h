/* How what the services answer looks over HTTP, and what is shown at all. Pure. */
#ifndef GATEWAY_SVC_POLICY_H
#define GATEWAY_SVC_POLICY_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

#include "base/status.h"

/* The code of a REST answer; `error` is not OK. By its reason where that says more than its status. */
unsigned policy_rest_code(const struct error *error);

/* The code of a Connect answer, as the protocol prescribes. */
unsigned policy_connect_code(enum status status);

/* "invalid_argument": the word that the Connect protocol has for it. */
const char *policy_connect_word(enum status status);

/* What a caller is told of it: a service's own words where they are about the request, not about addresses,
 * databases or bugs. */
const char *policy_public_message(const struct error *error);

/* When the caller may ask again, in whole seconds for Retry-After; 0: the answer says nothing about that. */
unsigned policy_retry_after_s(const struct error *error, unsigned rest_code);

/* Whether a method is for everyone, not for the services among themselves. */
bool policy_is_public(const ProtobufCServiceDescriptor *service, const ProtobufCMethodDescriptor *method);

#endif
