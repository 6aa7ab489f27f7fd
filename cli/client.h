/* Calls to the services. */
#ifndef SCREENING_CLI_CLIENT_H
#define SCREENING_CLI_CLIENT_H

#include "session.h"

#include <protobuf-c/protobuf-c.h>

#include "base/status.h"

/*
 * Opens the session's channel to the peer unless it is open. If nothing listens at the address, the
 * UNAVAILABLE error says how to start the service.
 */
MUST_CHECK enum status client_connect(struct session *session, enum peer_name peer, struct error *error);

/*
 * Calls a method and waits for its response, within the session's timeout. Every method is idempotent once
 * its id is set, so UNAVAILABLE, and RESOURCE_EXHAUSTED with a retry delay, are retried while the budget
 * lasts; a creation without an id first gets a new one. On OK *response lives as long as the session. Fails
 * like client_connect.
 */
MUST_CHECK enum status client_call(struct session *session, enum peer_name peer,
                                   const ProtobufCServiceDescriptor *service, const char *method,
                                   ProtobufCMessage *request, ProtobufCMessage **response,
                                   struct error *error);

/* Like client_call, but returns the response, or NULL after printing the error on stderr. */
void *client_ask(struct session *session, enum peer_name peer, const ProtobufCServiceDescriptor *service,
                 const char *method, ProtobufCMessage *request);

/* Prints "screenctl: FAILED_PRECONDITION SOLD_OUT: message" on stderr. Returns EXIT_FAILED. */
int client_fail(const struct error *error);

/* The same, followed by "; MORE" unless `more` is NULL. */
int client_fail_more(const struct error *error, const char *more);

#endif
