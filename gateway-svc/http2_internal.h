/*
 * Private to http2*.c. A connection belongs to the thread that accepted it, and only that thread calls
 * libnghttp2 for it. Other threads post a request to the thread when its answer is ready, or when its stream
 * has more bytes.
 *
 *   head ---> body ---> handler ---> answer ---> released          (in pieces: head ---> handler ---> body)
 *     |        |           |            |           ^
 *     +--------+-----------|------------+-----------+   reset, or the connection ended
 *     |        |           +-- closed: waits for the answer, which is dropped --+
 *     +--------+--> refused, which is an answer
 *
 * A handler answers every request that it has received. Until then the request outlives its stream and its
 * connection. The lock order: a thread's lock and a stream's lock come last, and neither is taken with the
 * other.
 */
#ifndef SCREENING_GATEWAY_SVC_HTTP2_INTERNAL_H
#define SCREENING_GATEWAY_SVC_HTTP2_INTERNAL_H

#include "http_request.h"

#include <nghttp2/nghttp2.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>

#include "base/fair_queue.h"
#include "base/queue.h"

enum {
    HTTP2_BUDGET_BYTES = 64 * 1024 * 1024, /* budget of each part of all requests in flight */
    HTTP2_REQUESTS_MAX = 128,              /* maximum number of concurrent requests per connection */
    HTTP2_FRAME_ROOM = 16384 + 1024, /* the largest piece that libnghttp2 passes at once, with headroom */
    HTTP2_BUFFER = 65536,
    HTTP2_NO_DEADLINE = 0,
};

/*
 * What requests hold of the budget of a part. Clients have lines as in fair_queue.h, and requests whose
 * client is not known have one more, without a share. A line may hold as much as then remains for the others.
 */
enum {
    HTTP2_LINE_UNKNOWN = FAIR_CONNECTIONS,
    HTTP2_FREE_BYTES = 64 * 1024, /* what a line may hold even if others hold the whole budget */
    HTTP2_ALL_MAX = HTTP2_BUDGET_BYTES + FAIR_CONNECTIONS * HTTP2_FREE_BYTES,
};
struct http2_held {
    atomic_size_t all, by_line[FAIR_CONNECTIONS + 1];
};

struct http_server {
    struct http_options options;
    int listener;
    const char *unix_path; /* NULL if the listener is not a unix socket */
    struct http2_thread *threads;
    unsigned thread_count; /* number of running threads */
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    atomic_bool draining, stopping;
    atomic_size_t in_flight; /* number of requests whose answer is neither sent nor dropped yet */
    atomic_size_t connection_count;
    struct http2_held held[HTTP2_PARTS];
};

struct http2_thread {
    struct http_server *server;
    pthread_t thread;
    int epoll, wake;
    bool listening;
    bool drains;             /* whether a sweep has seen that the server drains */
    int64_t sweep_ns;        /* when to check the deadlines next */
    struct list connections; /* struct http2_connection */
    struct queue dirty;      /* connections that may have something to send */
    time_t date_s;           /* the time that `date` shows */
    char date[32];
    pthread_mutex_t lock; /* guards `posted` */
    struct queue posted;  /* struct http_request */
    unsigned char in[HTTP2_BUFFER], out[HTTP2_BUFFER];
};

struct http2_connection {
    struct list_node node;
    struct queue_node dirty_node;
    bool dirty; /* whether the connection is in thread->dirty */
    struct http2_thread *thread;
    int fd;
    nghttp2_session *session; /* NULL while it lingers */
    bool broken;              /* whether the connection must be closed */
    bool out_of_memory;   /* an allocation of libnghttp2 failed, so the session is not used any more and never
                             freed */
    bool lingers;         /* everything was sent; what the client still sends is dropped */
    int64_t linger_ns;    /* the deadline for the client to close it */
    struct list requests; /* struct http_request */
    size_t request_count;
    int64_t idle_ns;        /* the deadline while there is no request */
    unsigned char *pending; /* what the socket did not take; NULL = nothing */
    size_t pending_size, pending_sent;
    int64_t pending_ns;               /* the time by which the socket must take more of `pending` */
    int64_t calm_ns;                  /* advances with each empty frame; too far ahead of now = too many */
    bool noticed, gone;               /* whether the first and the second GOAWAY of a drain were sent */
    char client[CLIENT_ADDRESS_SIZE]; /* "" = not known */
    struct http2_connection *next_lost;
};

static inline const struct http_options *http2_options(const struct http_request *request)
{
    return &request->thread->server->options;
}

/* ---- http2.c ---- */

/* Gives the request to its thread, which calls http2_request_take. Any thread. */
void http2_post(struct http_request *request);

/* ---- http2_budget.c ---- */

/* Charges bytes to the budget of a part. Returns false, and charges nothing, beyond the client's share. */
MUST_CHECK bool http2_charge(struct http_request *request, enum http2_part part, size_t bytes);

/* Like http2_charge, but charges the bytes even beyond the share. */
void http2_charge_always(struct http_request *request, enum http2_part part, size_t bytes);

/* Gives back what the request holds of the budget of a part. */
void http2_uncharge(struct http_request *request, enum http2_part part);

/* Charges what the request holds to request->client from now on, even beyond its share. */
void http2_charge_client(struct http_request *request);

/* Returns whether the client of the request is within its share. Any thread. */
bool http2_has_room(const struct http_request *request, enum http2_part part);

/* Returns whether the client of the request holds more than an eighth of the budget of a part. Any thread. */
bool http2_holds_much(const struct http_request *request, enum http2_part part);

/* ---- http2_connection.c ---- */

/* Returns the time on the monotonic clock in `ms`. Any thread. */
int64_t http2_after_ms(uint32_t ms);

/* Takes over an accepted socket. */
void http2_connection_begin(struct http2_thread *thread, int fd, const struct sockaddr *peer);

/* Makes the connection's thread flush the connection after the current events. */
void http2_mark_dirty(struct http2_connection *connection);

/* Sends pending bytes until the socket accepts no more. Ends the connection if it must be closed. */
void http2_connection_flush(struct http2_connection *connection);

/* Takes the events of epoll. */
void http2_connection_receive(struct http2_connection *connection, uint32_t events);

/* Looks at the deadlines. While the server drains, says goodbye too. */
void http2_connection_sweep(struct http2_connection *connection, int64_t now_ns, bool draining);

/* ---- http2_session.c ---- */

MUST_CHECK bool http2_callbacks_create(struct http_server *server);

/* Begins the session of an accepted connection. Returns false when out of memory. */
MUST_CHECK bool http2_session_begin(struct http2_connection *connection);

/* Gives received bytes to the session. Returns false if the connection must be closed. */
MUST_CHECK bool http2_session_receive(struct http2_connection *connection, const unsigned char *bytes,
                                      size_t size);

/* Ends everything that belongs to the connection, except requests that a handler has. */
void http2_session_end(struct http2_connection *connection);

/* ---- http2_answer.c ---- */

/* Continues with a posted request: sends its answer, or more of its stream. */
void http2_request_take(struct http_request *request);

/* Resets the request's stream. Releases the request now, or once its handler has answered it. */
void http2_request_abandon(struct http_request *request, uint32_t error_code);

/* Notes that the stream is closed. Releases the request now, or once its handler has answered it. */
void http2_request_close(struct http_request *request);

#endif
