/*
 * The gateway's HTTP server: HTTP/2 without TLS, on libnghttp2, with its connections, limits and timeouts. It
 * contains nothing specific to bookings. It serves a proxy on the same machine, and clients that speak HTTP/2
 * from the first byte.
 *
 * The handler gets a request once its whole body has arrived (or once its head has, see HTTP_BODY_IN_PIECES),
 * on one of the server's threads, which must not block. The request is answered exactly once, by http_respond
 * or http_stream_open, before the handler returns or later from any thread. Until then everything that
 * belongs to the request stays valid.
 *
 * The head and the body have limits (HTTP_HEAD_MAX, answered 431, and 413). At the limit of concurrent
 * connections, no more are accepted. An idle connection is closed after a while. A request whose body is late
 * is reset, and its connection stays open; a connection whose head is late is closed.
 *
 * All bodies of requests in flight share a budget, all heads share another, and all answers that clients have
 * not read yet a third. A client may hold as much of a budget as then remains for the others. Its requests
 * beyond that are answered 503; without room for even their heads, they are reset with REFUSED_STREAM, which
 * http_refused_total does not count. A connection has at most 128 requests, including reset ones that a
 * handler has not answered. A connection with too many frames that carry nothing (PING, SETTINGS, RST_STREAM,
 * empty DATA and so on) is ended with ENHANCE_YOUR_CALM.
 */
#ifndef SCREENING_GATEWAY_SVC_HTTP_H
#define SCREENING_GATEWAY_SVC_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <strings.h>

#include "base/arena.h"
#include "base/status.h"

enum { HTTP_HEAD_MAX = 16384, HTTP_FIELDS_MAX = 8, HTTP_TRAILERS_MAX = 4, HTTP_ADDED_MAX = 4 };
#define HTTP_BODY_IN_PIECES SIZE_MAX

struct http_server;
struct http_request;

struct http_field {
    const char *name;
    const char *value;
};

/* The field of a 401, which names the scheme of `authorization`. */
#define HTTP_BEARER ((struct http_field){"WWW-Authenticate", "Bearer"})

/* The names of the fields are literals. Everything else is in the request's arena or is static. */
struct http_answer {
    unsigned code;
    const char *type; /* type of the body; NULL = no body */
    const void *body;
    size_t body_size;
    struct http_field fields[HTTP_FIELDS_MAX];     /* ends with a field without a name */
    struct http_field trailers[HTTP_TRAILERS_MAX]; /* sent after the body; ends like `fields` */
};

struct http_options {
    /*
     * HOST:PORT such as "[::1]:8081", or "unix:PATH" for a socket with mode 0660. Only on the latter is
     * X-Forwarded-For used, because only processes of this machine can connect to it.
     */
    const char *listen;
    unsigned connections_max;
    unsigned threads;
    uint32_t request_timeout_ms; /* time from the first byte of the head to the last one of the body */
    /* Time from the accept or the last answer to the next head, and time in which an answer must be read. */
    uint32_t idle_timeout_ms;
    /*
     * Returns the largest allowed body of a request whose head has arrived. Called before any of the body is
     * stored. HTTP_BODY_IN_PIECES: the handler gets the request now, without its body, and reads the body
     * with http_body_read.
     */
    size_t (*body_max)(void *context, const struct http_request *request);
    void (*handle)(void *context, struct http_request *request);
    /* Answers a request that is refused with 400, 413, 431 or 503 before it reaches the handler. */
    void (*refuse)(void *context, struct http_request *request, unsigned code, const char *why);
    void *context;
};

/*
 * Binds the address and begins to serve. Returns INVALID_ARGUMENT "http-listen: ..." if the address is
 * malformed or in use, or RESOURCE_EXHAUSTED. Call it after service_begin, because the server's threads
 * inherit the signal mask.
 */
MUST_CHECK enum status http_open(const struct http_options *options, struct http_server **out,
                                 struct error *error);

/*
 * Accepts no more connections and ends each open one by GOAWAY once its requests are answered. Waits at most
 * `grace_ms` until no request is in flight and no stream is open, and then, within that time, up to 1 s for
 * the connections to end; clients may begin requests until they have seen the end coming. Returns false if
 * the time was too short for the requests. May be repeated.
 */
bool http_drain(struct http_server *server, uint32_t grace_ms);

/*
 * Closes the server. Call it after every request has been answered and every stream has ended. NULL is
 * allowed.
 */
void http_close(struct http_server *server);

/* ---- a request ---- */

const char *http_method(const struct http_request *request); /* "GET" for HEAD too */

/*
 * Returns the path without the query, as it was sent, so that an encoded slash or letter is data and never
 * matches a route.
 */
const char *http_path(const struct http_request *request);

/*
 * Returns a segment of http_path as data: percent-decoded, in the request's arena. Returns NULL when out of
 * memory.
 */
const char *http_segment(struct http_request *request, const char *segment, size_t size);

/* Returns the size of the head in bytes: of all names and values, with 32 bytes added for each field. */
size_t http_head_size(const struct http_request *request);

/* Returns the address of the client, as client_address.h formats it, or NULL if it is not known. */
const char *http_client(struct http_request *request);

/*
 * Charges the client for a large answer before it is made. Returns false if the client may be given no more
 * answers. Call it at most once, before the request is answered. Any thread.
 */
MUST_CHECK bool http_reserve_answer(struct http_request *request);

/*
 * Sets the route of the request, for its metrics: a pattern such as "/bookings/{bookingId}", which must live
 * as long as the request. By default a request has none.
 */
void http_set_route(struct http_request *request, const char *route);

/* Returns whether two names of header fields are equal, regardless of their case. Most differ in the first
 * letter. */
static inline bool http_is_name(const char *name, const char *wanted)
{
    return (name[0] | 0x20) == (wanted[0] | 0x20) && strcasecmp(name, wanted) == 0;
}

/* Returns the first header field with that name, regardless of its case, or NULL if there is none. */
const char *http_header(const struct http_request *request, const char *name);

/*
 * Calls `visit` for every header field, including repeated ones. Stops and returns false as soon as `visit`
 * returns false.
 */
bool http_header_visit(const struct http_request *request,
                       bool (*visit)(void *context, const char *name, const char *value), void *context);

/*
 * Calls `visit` for every parameter of the query, with "" if it has no value, but not for empty parameters as
 * in "?&a=b&&". Stops and returns false as soon as `visit` returns false.
 */
bool http_query_visit(const struct http_request *request,
                      bool (*visit)(void *context, const char *name, const char *value), void *context);

/* Returns the body, followed by a NUL. */
const char *http_body(const struct http_request *request, size_t *size);

/*
 * Has `take` called with each piece of the body that arrives from now on, and with NULL at the end of the
 * body. Call it before the handler returns, for a request that is answered with a stream and whose body_max
 * was HTTP_BODY_IN_PIECES. One of the server's threads calls `take` until the stream is closed.
 */
void http_body_read(struct http_request *request,
                    void (*take)(void *context, const uint8_t *bytes, size_t size), void *context);

/* Returns an arena that lives until the answer has been sent. It has one owner at a time: the thread that
 * will answer. */
struct arena *http_arena(struct http_request *request);

/*
 * Adds a field to the answer of the request, even if the answer is a stream. Adds at most HTTP_ADDED_MAX
 * fields. Both texts must live as long as those in struct http_answer.
 */
void http_add_field(struct http_request *request, const char *name, const char *value);

/* Answers the request with a copy of `answer`. The request may be freed when this returns. Any thread. */
void http_respond(struct http_request *request, const struct http_answer *answer);

/* ---- streamed bodies ---- */

struct http_stream;

/*
 * Answers 200 with a body of the given type, to which http_stream_write appends until http_stream_end or
 * until the listener disconnects. In both cases one of the server's threads calls `closed` once, and the
 * stream is valid until `closed` returns. Returns NULL when out of memory; the caller then still has to
 * answer.
 */
struct http_stream *http_stream_open(struct http_request *request, const char *type,
                                     void (*closed)(void *context), void *context);

/*
 * Appends a copy of the bytes. Any thread. Returns false if the stream has ended, or if the listener would
 * have more than HTTP_STREAM_MAX unread bytes. In the latter case the stream is reset.
 */
enum { HTTP_STREAM_MAX = 131072 };
bool http_stream_write(struct http_stream *stream, const void *bytes, size_t size);

/* Returns the number of written bytes that the listener has not read. Any thread. */
size_t http_stream_unread(struct http_stream *stream);

/* Ends the body after the written bytes. The listener has one second to read them. Any thread. */
void http_stream_end(struct http_stream *stream);

/*
 * Like http_stream_end, with trailers after the body. `trailers` ends like those of struct http_answer and
 * must live until `closed` is called. A stream is ended only once.
 */
void http_stream_end_with(struct http_stream *stream, const struct http_field *trailers);

#endif
