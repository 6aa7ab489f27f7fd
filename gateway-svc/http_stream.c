/*
 * Streamed bodies. libmicrohttpd asks for more data whenever the connection accepts it. While there is none,
 * the connection is suspended, and the next writer resumes it.
 *
 * A stream's lock comes last in the lock order. Its holder calls nothing but libmicrohttpd's suspend and
 * resume. While the stream lives, its connection's descriptor is not closed.
 */
#include "http_request.h"
#include "http_status.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/metrics.h"

/* The time in which a listener must read the remaining bytes after the end of the stream. */
enum { END_MS = 1000 };

/* The size of libmicrohttpd's buffer for a stream without chunks, that is, for HTTP 1.0. */
enum { BLOCK_BYTES = 1024 };

enum { FIRST_BYTES = 512 };

struct http_stream {
    struct MHD_Connection *mhd;
    struct connection *connection; /* lives until the stream is closed */
    const char *type;
    void (*closed)(void *context);
    void *context;
    pthread_mutex_t lock; /* guards the following members */
    int fd;               /* -1 until the answer begins */
    char *bytes;          /* bytes written but not yet sent, from `taken` to `size`; NULL = none */
    size_t taken, size, capacity;
    bool suspended;
    bool ended;  /* whether no further bytes follow */
    bool broken; /* whether it ended before the listener had read the written bytes */
};

static struct metric slow_total =
    METRIC("http_streams_slow_total", "Streams ended because their listeners left too much unread");

void http_streams_register_metrics(void)
{
    metric_register(&slow_total);
}

/* ---- the caller holds the lock ---- */

static size_t unread(const struct http_stream *stream)
{
    return stream->size - stream->taken;
}

static void forget_bytes(struct http_stream *stream)
{
    free(stream->bytes);
    stream->bytes = NULL;
    stream->taken = stream->size = stream->capacity = 0;
}

static void resume(struct http_stream *stream)
{
    if (stream->suspended) {
        stream->suspended = false;
        MHD_resume_connection(stream->mhd);
    }
}

/*
 * Ends the stream as broken, even if the listener has stopped reading. Its socket is then full, so
 * libmicrohttpd would never call read_more and notice that. But it always notices a shutdown.
 */
static void break_off(struct http_stream *stream)
{
    stream->ended = stream->broken = true;
    forget_bytes(stream);
    if (stream->fd >= 0)
        shutdown(stream->fd, SHUT_RDWR);
    resume(stream);
}

static bool make_room(struct http_stream *stream, size_t size)
{
    if (stream->taken > 0) {
        memmove(stream->bytes, stream->bytes + stream->taken, unread(stream));
        stream->size -= stream->taken;
        stream->taken = 0;
    }
    size_t capacity = stream->capacity > 0 ? stream->capacity : FIRST_BYTES;
    while (capacity < stream->size + size)
        capacity *= 2;
    if (capacity == stream->capacity)
        return true;
    char *bytes = realloc(stream->bytes, capacity);
    if (bytes == NULL)
        return false;
    stream->bytes = bytes;
    stream->capacity = capacity;
    return true;
}

/* ---- for writers ---- */

bool http_stream_write(struct http_stream *stream, const void *bytes, size_t size)
{
    pthread_mutex_lock(&stream->lock);
    bool written = !stream->ended;
    if (written && (unread(stream) + size > HTTP_STREAM_MAX ||
                    (stream->capacity - stream->size < size && !make_room(stream, size)))) {
        metric_add(&slow_total, 1);
        break_off(stream);
        written = false;
    }
    if (written && size > 0) {
        memcpy(stream->bytes + stream->size, bytes, size);
        stream->size += size;
        resume(stream);
    }
    pthread_mutex_unlock(&stream->lock);
    return written;
}

size_t http_stream_unread(struct http_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    size_t size = unread(stream);
    pthread_mutex_unlock(&stream->lock);
    return size;
}

void http_stream_look(struct http_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    struct pollfd look = {.fd = stream->fd, .events = POLLRDHUP}; /* poll ignores -1 */
    if (!stream->ended && poll(&look, 1, 0) > 0)
        break_off(stream);
    pthread_mutex_unlock(&stream->lock);
}

void http_stream_end(struct http_stream *stream)
{
    http_expect_end(stream->connection, END_MS);
    pthread_mutex_lock(&stream->lock);
    stream->ended = true;
    resume(stream);
    pthread_mutex_unlock(&stream->lock);
}

/* ---- for libmicrohttpd ---- */

/* Suspends before it releases the lock. A thread that writes then must see the suspension. */
static ssize_t read_more(void *context, uint64_t position, char *out, size_t max)
{
    struct http_stream *stream = context;
    (void)position;
    pthread_mutex_lock(&stream->lock);
    size_t size = unread(stream) < max ? unread(stream) : max;
    ssize_t result = (ssize_t)size;
    if (size > 0) {
        memcpy(out, stream->bytes + stream->taken, size);
        stream->taken += size;
        if (unread(stream) == 0)
            forget_bytes(stream);
    } else if (stream->ended) {
        result = stream->broken ? MHD_CONTENT_READER_END_WITH_ERROR : MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        stream->suspended = true;
        MHD_suspend_connection(stream->mhd);
    }
    pthread_mutex_unlock(&stream->lock);
    return result;
}

/* Is called when the response is destroyed, whether or not it was sent. */
static void close_stream(void *context)
{
    struct http_stream *stream = context;
    stream->closed(stream->context);
    pthread_mutex_destroy(&stream->lock);
    free(stream->bytes);
    free(stream);
}

enum MHD_Result http_stream_begin(struct http_request *request)
{
    struct http_stream *stream = request->stream;
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_more, stream, close_stream);
    if (response == NULL) {
        log_plain(LOG_ERROR, "http.out_of_memory");
        close_stream(stream);
        return MHD_NO;
    }
    int fd = MHD_get_connection_info(request->mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    pthread_mutex_lock(&stream->lock);
    stream->fd = fd;
    pthread_mutex_unlock(&stream->lock);
    /* A proxy that buffers whole answers would hold a stream forever. */
    if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, stream->type) != MHD_YES ||
        MHD_add_response_header(response, "X-Accel-Buffering", "no") != MHD_YES) {
        log_plain(LOG_ERROR, "http.out_of_memory");
        MHD_destroy_response(response);
        return MHD_NO;
    }
    return http_queue_response(request, HTTP_OK, response);
}

struct http_stream *http_stream_open(struct http_request *request, const char *type,
                                     void (*closed)(void *context), void *context)
{
    struct http_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) {
        const struct http_answer answer = {.code = HTTP_SERVICE_UNAVAILABLE};
        http_respond(request, &answer);
        return NULL;
    }
    stream->mhd = request->mhd;
    stream->connection = request->connection;
    stream->type = type;
    stream->closed = closed;
    stream->context = context;
    stream->fd = -1;
    pthread_mutex_init(&stream->lock, NULL);
    request->stream = stream;
    http_request_ready(request);
    return stream;
}
