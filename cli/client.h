/* Calls the services, and prints errors. */
#ifndef SCREENING_CLI_CLIENT_H
#define SCREENING_CLI_CLIENT_H

#include "session.h"

#include <protobuf-c/protobuf-c.h>

#include "base/status.h"

/*
 * Opens the session's channel to the peer unless it is already open. If nothing listens at the address, the
 * UNAVAILABLE error says how to start the service.
 */
MUST_CHECK enum status client_connect(struct session *session, enum peer_name peer, struct error *error);

/*
 * Calls a method that only one peer serves, such as "GetBooking". Returns the response, which lives as long
 * as the session, or NULL with *error set. Waits at most session->timeout_ms. Every method is idempotent once
 * the request has an id, so UNAVAILABLE, and RESOURCE_EXHAUSTED with a retry delay, are retried within the
 * timeout. If a creation has no id, it first gets a new one. Fails like client_connect.
 */
void *client_call(struct session *session, const char *method, ProtobufCMessage *request,
                  struct error *error);

/* Like client_call, for a method that several peers serve or that the user names (see method_find). */
void *client_call_at(struct session *session, enum peer_name peer, const char *method,
                     ProtobufCMessage *request, struct error *error);

/* Like client_call and client_call_at, but print the error on stderr. */
void *client_ask(struct session *session, const char *method, ProtobufCMessage *request);
void *client_ask_at(struct session *session, enum peer_name peer, const char *method,
                    ProtobufCMessage *request);

/*
 * Prints the error on stderr, such as "screenctl: FAILED_PRECONDITION SOLD_OUT: message". Returns
 * EXIT_FAILED.
 */
int client_fail(const struct error *error);

/*
 * Sets *error to RESOURCE_EXHAUSTED with a message in the user's language, and returns this status.
 * client_fail_memory prints such an error, like client_fail.
 */
enum status client_no_memory(struct error *error);
int client_fail_memory(void);

/* Like client_fail, but appends "; MORE" to the line unless `more` is NULL. */
int client_fail_more(const struct error *error, const char *more);

#endif
