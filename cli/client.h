/* Calls to the services. */
#ifndef SCREENING_CLI_CLIENT_H
#define SCREENING_CLI_CLIENT_H

#include "session.h"

#include <protobuf-c/protobuf-c.h>

#include "base/status.h"

/* Opens the session's channel to the peer, if it is not open yet. UNAVAILABLE tells how to start the service
 * if nobody listens at its address. */
MUST_CHECK enum status client_connect(struct session *session, enum peer_name peer, struct error *error);

/*
 * Calls a method and waits for its answer, within the session's timeout. Every method is idempotent once its
 * id is known, so UNAVAILABLE, and RESOURCE_EXHAUSTED with a time to wait, are asked again while the budget
 * lasts; a creation without an id gets a new one first. On OK *response lives as long as the session.
 * Fails as client_connect does.
 */
MUST_CHECK enum status client_call(struct session *session, enum peer_name peer,
                                   const ProtobufCServiceDescriptor *service, const char *method,
                                   ProtobufCMessage *request, ProtobufCMessage **response,
                                   struct error *error);

/* As client_call; returns the response, or NULL after telling on stderr what went wrong. */
void *client_ask(struct session *session, enum peer_name peer, const ProtobufCServiceDescriptor *service,
                 const char *method, ProtobufCMessage *request);

/* "screenctl: FAILED_PRECONDITION SOLD_OUT: message" on stderr. Returns EXIT_FAILED. */
int client_fail(const struct error *error);

/* The same with "; MORE" behind it, unless that is NULL. */
int client_fail_more(const struct error *error, const char *more);

#endif
