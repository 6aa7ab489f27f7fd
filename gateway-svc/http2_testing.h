/*
 * Private to the tests of http2*.c: a server with a handler for a few paths, and a client of libnghttp2. The
 * functions fail the test if the server does not do what they wait for in time.
 */
#ifndef SCREENING_GATEWAY_SVC_HTTP2_TESTING_H
#define SCREENING_GATEWAY_SVC_HTTP2_TESTING_H

#include "http2_internal.h"

#include "base/unit_testing.h"

enum {
    DEADLINE_S = 60,
    STREAM_BYTES = 3000,
    BIG_BYTES = 1024 * 1024,
    BODY_MAX = 65536,
    PATH_SIZE = 64,
    THREADS = 2,
    CALLS = 400
};

/*
 * The handler keeps /later in `waiting`, echoes the body of /echo, and that of /pieces piece by piece with a
 * trailer, answers /big with BIG_BYTES, streams /stream and leaves /slow open.
 */
struct world {
    struct http_server *server;
    char listen[PATH_SIZE];
    atomic_int opened, closed; /* streams */
    _Atomic(struct http_stream *) slow;
    pthread_mutex_t writing; /* held while a test writes to `slow`, which stays valid until then */
    pthread_mutex_t lock;    /* guards `waiting` */
    struct http_request *waiting[CALLS];
    size_t waiting_count;
};

void open_world(struct world *world);

/* Waits until nothing is in flight, and closes the server. Nothing must be charged any more. */
void close_world(struct world *world);

/* Writes to world->slow. Returns false if the server has broken it off. */
bool write_slow(struct world *world, struct http_stream *stream, const void *bytes, size_t size);

/* Echoes the body of a request. */
void respond(struct http_request *request);

void wait_until(bool (*condition)(struct world *world), struct world *world);

/* Returns whether there is no request and no connection. */
bool is_empty(struct world *world);

struct client {
    int fd;
    const char *address; /* of the requests that follow */
    nghttp2_session *session;
    size_t ended, reset, received; /* numbers of streams ended and reset, and of body bytes received */
    uint32_t error_code;           /* of the last reset */
    int status;                    /* of the last answer */
    size_t trailers;               /* number of trailers of /pieces received */
};

/* Returns whether a request waits for `respond`. */
bool has_waiting(struct world *world);

/* Returns a connected socket. */
int connect_to(const struct world *world);

/* Begins a session whose streams have this window. The caller sets client->fd. */
void begin_client(struct client *client, uint32_t window);

/* begin_client and connect_to. */
void connect_client(struct client *client, const struct world *world, uint32_t window);

/* Opens a world with one client. */
void open_and_connect(struct world *world, struct client *client, uint32_t window);

/* Submits a request. `body_size` is read when the body is sent; NULL = no body. */
void submit(struct client *client, const char *path, size_t *body_size);

/* Like submit, with a callback that reads the body. */
void submit_from(struct client *client, const char *path, size_t *body_size,
                 nghttp2_data_source_read_callback read);

void send_all(struct client *client);

/* Sends, receives once and sends. */
void pump(struct client *client);

void end_client(struct client *client);

#endif
