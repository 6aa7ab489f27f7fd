/*
 * The open streams of gRPC, Watch and reflection: their number, their deadlines and their ends. One lock
 * guards all of them. Acquire it before a stream's own lock.
 *
 * Besides the ends that its method defines, a stream ends with DEADLINE_EXCEEDED when its grpc-timeout has
 * passed, with RESOURCE_EXHAUSTED if the client leaves too much unread, and with UNAVAILABLE when the gateway
 * stops.
 */
#ifndef SCREENING_GATEWAY_SVC_GRPC_STREAMS_H
#define SCREENING_GATEWAY_SVC_GRPC_STREAMS_H

#include "backend.h"
#include "client_address.h"
#include "grpc_descriptors.h"
#include "http.h"

#include <protobuf-c/protobuf-c.h>
#include <pthread.h>

#include "base/queue.h"

/* Maximum number of open streams. A client address may have as many of them as then remain for the others. */
enum { GRPC_STREAMS_MAX = 256 };

struct grpc_streams {
    struct grpc_descriptors *descriptors;
    pthread_mutex_t lock; /* guards the following members and all streams */
    bool stopping;
    struct list open; /* struct grpc_stream */
    size_t count;
};

/* The beginning of each stream, which is allocated as a whole with calloc and freed when it is closed. */
struct grpc_stream {
    struct list_node node;
    struct grpc_streams *streams;
    struct http_stream *http;
    bool ended;
    int64_t deadline_ns; /* INT64_MAX = none */
    char client[CLIENT_ADDRESS_SIZE];
    char code[4]; /* the status with which the stream has ended, as in the trailers */
    struct http_field trailers[HTTP_TRAILERS_MAX];
    /* Called about once a second until the stream has ended. The caller holds the lock. */
    void (*look)(struct grpc_stream *stream, bool is_ready, int64_t now_ns);
};

/* `backend` decides which methods are public. Returns RESOURCE_EXHAUSTED when out of memory. */
MUST_CHECK enum status grpc_streams_open(const struct backend *backend, struct grpc_streams **out,
                                         struct error *error);

/* Has every stream send what has changed, and ends late ones. Call it about once a second. Any thread. */
void grpc_streams_look(struct grpc_streams *streams, bool is_ready);

/* Ends every stream and refuses new ones. Any thread. */
void grpc_streams_stop(struct grpc_streams *streams);

/* Frees the struct. Call it after http_close. NULL is allowed. */
void grpc_streams_close(struct grpc_streams *streams);

/* ---- for the methods; the caller holds the lock ---- */

/*
 * Answers the request with a stream, whose `look` is set. Returns RESOURCE_EXHAUSTED if there are too many or
 * when out of memory, UNAVAILABLE if the gateway is stopping, or an error of the request's head. The caller
 * then frees the stream and responds with the error.
 */
MUST_CHECK enum status grpc_stream_begin(struct grpc_streams *streams, struct http_request *request,
                                         struct grpc_stream *stream, struct error *error);

/* Sends a message. If that fails, ends the stream. */
void grpc_stream_send(struct grpc_stream *stream, const ProtobufCMessage *message);

/* Ends the stream. `message` is a literal of plain ASCII for grpc-message; "" = none. */
void grpc_stream_end(struct grpc_stream *stream, enum status status, const char *message);

#endif
