/* Reads all pages of a list. */
#ifndef SCREENING_CLI_PAGES_H
#define SCREENING_CLI_PAGES_H

#include "session.h"

#include <protobuf-c/protobuf-c.h>

enum { PAGE_SIZE = 200 }; /* 200 of the largest hospitals fit into a message */

/*
 * Requests all pages of a list, such as "ListBookings" with the response's repeated field "bookings".
 * Advances the request's page_token. Returns the last response, with the items of all pages, or NULL after
 * printing the error on stderr.
 */
void *pages_ask(struct session *session, const char *method, const char *items, ProtobufCMessage *request);

/* Like pages_ask, but does not print. On failure, returns NULL with *error set. */
void *pages_collect(struct session *session, const char *method, const char *items, ProtobufCMessage *request,
                    struct error *error);

#endif
