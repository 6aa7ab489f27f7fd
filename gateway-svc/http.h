/*
 * The HTTP side: connections, limits and time, on libmicrohttpd. Knows nothing of bookings.
 *
 * A request comes to the handler when all of its body is there, on one of the server's threads, which must
 * not block. It is answered exactly once, by http_respond, before the handler returns or later from any
 * thread; until then everything that belongs to it stays valid.
 *
 * What is limited: the head (HTTP_HEAD_MAX, answered 431), the body (413), connections at once (no more are
 * accepted), the time for a request to arrive whole and for a connection to stand idle (the connection is
 * ended, however busily it trickles). A request whose length can be read in two ways is answered 400 and its
 * connection closed: that is how requests are smuggled past a proxy.
 */
#ifndef SCREENING_GATEWAY_SVC_HTTP_H
#define SCREENING_GATEWAY_SVC_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

enum { HTTP_HEAD_MAX = 16384, HTTP_FIELDS_MAX = 8, HTTP_ADDED_MAX = 4 };

struct http_server;
struct http_request;

struct http_field {
    const char *name;
    const char *value;
};

/* Names are literals; everything else lies in the request's arena or stays for ever. */
struct http_answer {
    unsigned code;
    const char *type; /* of the body; NULL: there is none */
    const void *body;
    size_t body_size;
    struct http_field fields[HTTP_FIELDS_MAX]; /* up to the first without a name */
};

struct http_options {
    const char *listen; /* "127.0.0.1:8080", "[::1]:8080" */
    size_t body_max_bytes;
    unsigned connections_max;
    unsigned threads;
    uint32_t request_timeout_ms; /* from the head to the last byte of the body */
    uint32_t idle_timeout_ms;    /* from the connection or the last answer to the end of the next head */
    /* The largest body of a request whose head has come, as far as body_max_bytes allows: asked before any of
     * it is kept. */
    size_t (*body_max)(void *context, const struct http_request *request);
    void (*handle)(void *context, struct http_request *request);
    /* Answers a request that is refused before the handler sees it: 400, 413, 431. */
    void (*refuse)(void *context, struct http_request *request, unsigned code, const char *why);
    void *context;
};

/* Binds the address and begins to serve. INVALID_ARGUMENT "http-listen: ..." if it is malformed or taken.
 * After service_begin: its threads inherit the signal mask. */
MUST_CHECK enum status http_open(const struct http_options *options, struct http_server **out,
                                 struct error *error);

/*
 * No connection is accepted any more, and each ends with its next answer; waits until no request is in hand
 * and no stream open, at most `grace_ms`: false if the time was too short.
 */
bool http_drain(struct http_server *server, uint32_t grace_ms);

/* When every request has been answered and every stream ended. NULL is allowed. */
void http_close(struct http_server *server);

/* ---- a request ---- */

const char *http_method(const struct http_request *request); /* "GET" also for HEAD */
const char *http_path(const struct http_request *request);   /* percent signs resolved, without the query */

/* Whom client_address.h makes of the other end; NULL if that is not known. */
const char *http_client(struct http_request *request);

/* Which route of ours the request takes, for its metrics: a pattern such as "/bookings/{bookingId}", which
 * must live as the request does. Without: none. */
void http_set_route(struct http_request *request, const char *route);

/* A header field, any case, NULL if it is not there; the first of several. */
const char *http_header(const struct http_request *request, const char *name);

/* Calls `visit` for every header field, as often as it was given; stops, and returns false, when it does. */
bool http_header_visit(const struct http_request *request,
                       bool (*visit)(void *context, const char *name, const char *value), void *context);

/* Calls `visit` for every parameter of the query, "" as the value of one without, but the empty ones of
 * "?&a=b&&"; stops, and returns false, when it does. */
bool http_query_visit(const struct http_request *request,
                      bool (*visit)(void *context, const char *name, const char *value), void *context);

/* The body, with a NUL after it. */
const char *http_body(const struct http_request *request, size_t *size);

/* Lives until the answer has been sent. One owner at a time: whoever is to answer. */
struct arena *http_arena(struct http_request *request);

/* Adds a field to whatever the request will be answered with, a stream too; HTTP_ADDED_MAX of them at most.
 * Both texts as in struct http_answer. */
void http_add_field(struct http_request *request, const char *name, const char *value);

/* Any thread; takes a copy of the answer itself. The request may be gone when this returns. */
void http_respond(struct http_request *request, const struct http_answer *answer);

/* ---- a body that goes on ---- */

struct http_stream;

/*
 * Answers 200 with a body of that type which http_stream_write continues, until http_stream_end or until the
 * listener is gone; either way `closed` is called once, from one of the server's threads, and the stream is
 * valid until it returns. NULL: no memory, and the request has been answered 503.
 */
struct http_stream *http_stream_open(struct http_request *request, const char *type,
                                     void (*closed)(void *context), void *context);

/*
 * Appends a copy of the bytes. Any thread. False if the stream has ended, and if the listener would have more
 * than HTTP_STREAM_MAX left to read: then its connection is broken off.
 */
enum { HTTP_STREAM_MAX = 131072 };
bool http_stream_write(struct http_stream *stream, const void *bytes, size_t size);

/* How many of the bytes written wait for the listener to read. Any thread. */
size_t http_stream_unread(struct http_stream *stream);

/* Breaks the connection off if the listener has hung up, or its half of it: as long as nothing is sent nobody
 * else notices. To be called now and then; any thread. */
void http_stream_look(struct http_stream *stream);

/* Ends the body after what was written, for which the listener has one second. Any thread. */
void http_stream_end(struct http_stream *stream);

#endif
