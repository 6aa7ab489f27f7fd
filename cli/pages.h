/* Reads a paged list as one. */
#ifndef SCREENING_CLI_PAGES_H
#define SCREENING_CLI_PAGES_H

#include "session.h"

#include <protobuf-c/protobuf-c.h>

enum { PAGE_SIZE = 200 }; /* 200 of the largest hospitals fit into a message */

/* A list method and where its messages hold the paging fields. */
struct paged_list {
    enum peer_name peer;
    const ProtobufCServiceDescriptor *service;
    const char *method;
    const char *items; /* the response's repeated field */
};

/*
 * Requests page after page, advancing the request's page_token. Returns the last response, extended to the
 * items of all pages, or NULL after printing the error on stderr.
 */
void *pages_ask(struct session *session, const struct paged_list *list, ProtobufCMessage *request);

/* The same without printing; on failure NULL with *error set. */
void *pages_collect(struct session *session, const struct paged_list *list, ProtobufCMessage *request,
                    struct error *error);

#endif
