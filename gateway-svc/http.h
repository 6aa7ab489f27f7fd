/*
 * The HTTP side of the gateway, on libmicrohttpd: connections, limits and time. It knows nothing of bookings.
 *
 * The handler gets a request once its whole body has arrived, on one of the server's threads, which must not
 * block. The request is answered exactly once, by http_respond, before the handler returns or later from any
 * thread. Until then everything that belongs to the request stays valid.
 *
 * The head and the body have limits (HTTP_HEAD_MAX, answered 431, and 413). Beyond the limit of concurrent
 * connections no more are accepted. The time in which a request must arrive completely, even if it trickles,
 * and the idle time of a connection are limited, too; then the connection is closed. A request whose length
 * can be read in two ways is answered 400 and its connection is closed, because request smuggling past a
 * proxy uses such requests.
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

/* Names are literals. Everything else is in the request's arena or lives forever. */
struct http_answer {
    unsigned code;
    const char *type; /* type of the body; NULL = no body */
    const void *body;
    size_t body_size;
    struct http_field fields[HTTP_FIELDS_MAX]; /* ends with a field without a name */
};

struct http_options {
    const char *listen; /* "127.0.0.1:8080", "[::1]:8080" */
    size_t body_max_bytes;
    unsigned connections_max;
    unsigned threads;
    uint32_t request_timeout_ms; /* time from the head to the last byte of the body */
    uint32_t idle_timeout_ms;    /* time from the accept or the last answer to the end of the next head */
    /*
     * Returns the largest allowed body of a request whose head has arrived, up to body_max_bytes. Is called
     * before any of the body is stored.
     */
    size_t (*body_max)(void *context, const struct http_request *request);
    void (*handle)(void *context, struct http_request *request);
    /* Answers a request that is refused with 400, 413 or 431 before it reaches the handler. */
    void (*refuse)(void *context, struct http_request *request, unsigned code, const char *why);
    void *context;
};

/*
 * Binds the address and begins to serve. Returns INVALID_ARGUMENT "http-listen: ..." if it is malformed or in
 * use. Call it after service_begin, because its threads inherit the signal mask.
 */
MUST_CHECK enum status http_open(const struct http_options *options, struct http_server **out,
                                 struct error *error);

/*
 * Accepts no more connections and closes each after its next answer. Waits until no request is in flight and
 * no stream open, at most `grace_ms`. Returns false if the time was too short.
 */
bool http_drain(struct http_server *server, uint32_t grace_ms);

/*
 * Closes the server. Call it after every request has been answered and every stream has ended. NULL is
 * allowed.
 */
void http_close(struct http_server *server);

/* ---- a request ---- */

const char *http_method(const struct http_request *request); /* "GET" for HEAD too */
const char *http_path(const struct http_request *request);   /* percent-decoded, without the query */

/* Returns the address of the client, as client_address.h formats it, or NULL if it is not known. */
const char *http_client(struct http_request *request);

/*
 * Sets the route of the request, for its metrics: a pattern such as "/bookings/{bookingId}", which must live
 * as long as the request. By default a request has none.
 */
void http_set_route(struct http_request *request, const char *route);

/* Returns the first header field with that name, in any case, or NULL if there is none. */
const char *http_header(const struct http_request *request, const char *name);

/*
 * Calls `visit` for every header field, including repeated ones. Stops and returns false as soon as `visit`
 * returns false.
 */
bool http_header_visit(const struct http_request *request,
                       bool (*visit)(void *context, const char *name, const char *value), void *context);

/*
 * Calls `visit` for every parameter of the query, with "" for one without a value, but not for the empty ones
 * of "?&a=b&&". Stops and returns false as soon as `visit` returns false.
 */
bool http_query_visit(const struct http_request *request,
                      bool (*visit)(void *context, const char *name, const char *value), void *context);

/* Returns the body, followed by a NUL. */
const char *http_body(const struct http_request *request, size_t *size);

/* Returns an arena that lives until the answer has been sent. It has one owner at a time: the thread that
 * will answer. */
struct arena *http_arena(struct http_request *request);

/*
 * Adds a field to the answer of the request, even if it is a stream. At most HTTP_ADDED_MAX of them. Both
 * texts must live as long as those in struct http_answer.
 */
void http_add_field(struct http_request *request, const char *name, const char *value);

/* Answers the request with a copy of `answer`. The request may be freed when this returns. Any thread. */
void http_respond(struct http_request *request, const struct http_answer *answer);

/* ---- streamed bodies ---- */

struct http_stream;

/*
 * Answers 200 with a body of that type, to which http_stream_write appends until http_stream_end or until the
 * listener disconnects. In both cases one of the server's threads calls `closed` once, and the stream is
 * valid until that returns. When out of memory, answers 503 and returns NULL.
 */
struct http_stream *http_stream_open(struct http_request *request, const char *type,
                                     void (*closed)(void *context), void *context);

/*
 * Appends a copy of the bytes. Any thread. Returns false if the stream has ended, or if the listener would
 * have more than HTTP_STREAM_MAX unread bytes. In that case its connection is closed.
 */
enum { HTTP_STREAM_MAX = 131072 };
bool http_stream_write(struct http_stream *stream, const void *bytes, size_t size);

/* Returns the number of written bytes that the listener has not read. Any thread. */
size_t http_stream_unread(struct http_stream *stream);

/*
 * Closes the connection if the listener has closed it, or its sending half. Without writes, nothing else
 * detects that. Call it from time to time. Any thread.
 */
void http_stream_look(struct http_stream *stream);

/* Ends the body after the written bytes, for which the listener has one second. Any thread. */
void http_stream_end(struct http_stream *stream);

#endif
