/* Lists that come in pages, as one. */
#ifndef SCREENING_CLI_PAGES_H
#define SCREENING_CLI_PAGES_H

#include "session.h"

#include <protobuf-c/protobuf-c.h>

enum { PAGE_SIZE = 200 }; /* 200 of the largest hospitals fit into a message */

/* A list method: where in its messages the pages' fields lie. */
struct paged_list {
    enum peer_name peer;
    const ProtobufCServiceDescriptor *service;
    const char *method;
    const char *items; /* the response's repeated field */
};

/*
 * Asks for page after page, moving the request's page_token on; returns the last response, which then holds
 * the items of all pages. NULL after telling on stderr what went wrong.
 */
void *pages_ask(struct session *session, const struct paged_list *list, ProtobufCMessage *request);

/* The same in silence; NULL with *error. */
void *pages_collect(struct session *session, const struct paged_list *list, ProtobufCMessage *request,
                    struct error *error);

#endif
