/* Private to http*.c: a request in flight. */
#ifndef SCREENING_GATEWAY_SVC_HTTP_REQUEST_H
#define SCREENING_GATEWAY_SVC_HTTP_REQUEST_H

#include "http.h"

#include <microhttpd.h>
#include <stdatomic.h>

enum request_state {
    REQUEST_IN_HANDLER, /* the handler has not returned */
    REQUEST_WAITING,    /* suspended */
    REQUEST_ANSWERED
};

struct connection; /* private to http.c */

struct http_request {
    struct http_server *server;
    struct MHD_Connection *mhd;
    struct connection *connection; /* NULL if there is no deadline */
    const char *method;
    const char *path;
    const char *route; /* NULL if it is not one of our routes */
    int64_t begun_ns;
    struct arena arena;
    char *body;
    size_t body_size, body_capacity;
    size_t body_max; /* largest allowed body; 0 = not determined yet */
    bool too_large;
    bool handed_over; /* whether the handler has it */
    bool sent;        /* whether the answer was given to libmicrohttpd */
    bool must_close;
    atomic_int state;
    struct http_field added[HTTP_ADDED_MAX]; /* fields added to the answer, of any kind */
    size_t added_count;
    struct http_answer answer;
    struct http_stream *stream; /* the answer, if it is a stream */
};

/* Marks the answer as ready. Any thread. */
void http_request_ready(struct http_request *request);

/* Adds the common header fields and takes over the response. Call it on the request's own thread. */
enum MHD_Result http_queue_response(struct http_request *request, unsigned code,
                                    struct MHD_Response *response);

/*
 * Sets the time within which the connection's request must end. NULL is allowed. Any thread, while the answer
 * lives.
 */
void http_expect_end(struct connection *connection, uint32_t ms);

/* Queues the response of request->stream. */
enum MHD_Result http_stream_begin(struct http_request *request);

void http_streams_register_metrics(void);

#endif
