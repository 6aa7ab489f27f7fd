/* Private to http*.c: a request in hand. */
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

struct connection; /* http.c's own */

struct http_request {
    struct http_server *server;
    struct MHD_Connection *mhd;
    struct connection *connection; /* NULL: has no deadline */
    const char *method;
    const char *path;
    const char *route; /* NULL = none of ours */
    int64_t begun_ns;
    struct arena arena;
    char *body;
    size_t body_size, body_capacity;
    size_t body_max; /* 0 = not asked for yet */
    bool too_large;
    bool handed_over; /* to the handler */
    bool sent;        /* the answer was given to libmicrohttpd */
    bool must_close;
    atomic_int state;
    struct http_field added[HTTP_ADDED_MAX]; /* to the answer, whatever it is */
    size_t added_count;
    struct http_answer answer;
    struct http_stream *stream; /* the answer, if it is one that goes on */
};

/* The answer is there. Any thread. */
void http_request_ready(struct http_request *request);

/* Adds what every answer has and takes the response over. On the request's own thread. */
enum MHD_Result http_queue_response(struct http_request *request, unsigned code,
                                    struct MHD_Response *response);

/* From now on the connection's request has so long to end; any thread, while its answer lives. NULL is
 * allowed. */
void http_expect_end(struct connection *connection, uint32_t ms);

/* Queues the response of request->stream. */
enum MHD_Result http_stream_begin(struct http_request *request);

void http_streams_register_metrics(void);

#endif
