/* Answers and streams: what goes to the client. */
#include "http2_internal.h"
#include "http_metrics.h"
#include "http_status.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"

enum { END_MS = 1000, NUMBER_SIZE = 24 };

/* A client that reads less than this of an answer does not move it, so that reading bytes singly does not
 * help. */
enum { MOVED_BYTES = 16384 };
enum { NV_MAX = 6 + HTTP_ALWAYS_COUNT + HTTP_ADDED_MAX + HTTP_FIELDS_MAX };

struct http_stream {
    struct http_request *request;
    void (*closed)(void *context);
    void *context;
    pthread_mutex_t lock; /* guards the following members */
    char *bytes;          /* bytes written but not yet sent, from `taken` to `size`; NULL = none */
    size_t taken, size, capacity;
    const struct http_field *trailers; /* valid once `ended` is set; NULL = none */
    bool ended;                        /* whether no further bytes follow */
    bool broken;                       /* whether the stream must be reset */
};

/* ---- the end of a request ---- */

static void free_request(struct http_request *request)
{
    arena_fini(&request->arena);
    free(request->body);
    free(request);
}

static void destroy_stream(struct http_stream *stream)
{
    stream->closed(stream->context);
    pthread_mutex_destroy(&stream->lock);
    free(stream->bytes);
    free(stream);
}

/*
 * Charges an answer. The handlers bound the streams, which may stay open, so they are not charged at all, and
 * keep no body.
 */
static void charge_answer(struct http_request *request)
{
    if (request->stream != NULL) {
        http2_uncharge(request, HTTP2_HEADS);
        http2_uncharge(request, HTTP2_BODIES);
        free(request->body);
        request->body = NULL;
        request->body_size = request->body_capacity = 0;
        return;
    }
    http2_uncharge(request, HTTP2_ANSWERS); /* what http_reserve_answer has charged */
    http2_charge_always(request, HTTP2_ANSWERS, arena_bytes(&request->arena));
}

/* Frees a request that no handler has. */
static void release(struct http_request *request)
{
    struct http2_thread *thread = request->thread;
    struct http_server *server = thread->server;
    struct http2_connection *connection = request->connection;
    CHECK(!request->handed_over || request->answered || request->closed);
    if (request->stream != NULL)
        destroy_stream(request->stream); /* nothing posts the request after this */
    if (connection != NULL) {
        list_remove(&request->node);
        CHECK(connection->request_count > 0);
        connection->request_count--;
        connection->idle_ns = http2_after_ms(server->options.idle_timeout_ms);
    }
    pthread_mutex_lock(&thread->lock);
    request->released = true;
    bool posted = request->posted;
    pthread_mutex_unlock(&thread->lock);
    metric_add(&http_in_hand_now, -1);
    for (int part = 0; part < HTTP2_PARTS; part++)
        http2_uncharge(request, part);
    atomic_fetch_sub(&server->in_flight, 1);
    if (!posted)
        free_request(request);
}

void http2_request_close(struct http_request *request)
{
    request->closed = true;
    if (!request->handed_over || request->answered)
        release(request);
}

void http2_request_abandon(struct http_request *request, uint32_t error_code)
{
    struct http2_connection *connection = request->connection;
    nghttp2_session *session = connection->session;
    http2_mark_dirty(connection);
    (void)nghttp2_session_set_stream_user_data(session, request->stream_id, NULL);
    if (nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, request->stream_id, error_code) != 0)
        connection->broken = true;
    http2_request_close(request);
}

/* ---- bodies ---- */

static size_t count_fields(const struct http_field *fields, size_t max)
{
    size_t count = 0;
    while (count < max && fields[count].name != NULL)
        count++;
    return count;
}

static nghttp2_nv nv_of(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value),
                        NGHTTP2_NV_FLAG_NONE};
}

/* Ends a body, with the trailers after it (NULL = none). Returns 0 or an error of libnghttp2. */
static int end_body(nghttp2_session *session, int32_t stream_id, const struct http_field *trailers,
                    uint32_t *flags)
{
    nghttp2_nv nv[HTTP_TRAILERS_MAX];
    size_t count = trailers != NULL ? count_fields(trailers, HTTP_TRAILERS_MAX) : 0;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (count == 0)
        return 0;
    for (size_t i = 0; i < count; i++)
        nv[i] = nv_of(trailers[i].name, trailers[i].value);
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    return nghttp2_submit_trailer(session, stream_id, nv, count) == 0 ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* Gives the next part of an answer's body. Returns the size. Submits the trailers with the last part. */
static ssize_t read_body(nghttp2_session *session, int32_t stream_id, uint8_t *out, size_t max,
                         uint32_t *flags, nghttp2_data_source *source, void *context)
{
    struct http_request *request = nghttp2_session_get_stream_user_data(session, stream_id);
    (void)source;
    (void)context;
    if (request == NULL)
        return NGHTTP2_ERR_DEFERRED; /* the request was reset */
    const struct http_answer *answer = &request->answer;
    size_t left = answer->body_size - request->sent, size = left < max ? left : max;
    if (size > 0)
        memcpy(out, (const char *)answer->body + request->sent, size);
    request->sent += size;
    if (size == left || request->sent - request->moved_at >= MOVED_BYTES) {
        request->moved_at = request->sent;
        request->moved_ns = clock_monotonic_ns();
    }
    int failed = size == left ? end_body(session, stream_id, answer->trailers, flags) : 0;
    return failed != 0 ? failed : (ssize_t)size;
}

static void forget_bytes(struct http_stream *stream)
{
    free(stream->bytes);
    stream->bytes = NULL;
    stream->taken = stream->size = stream->capacity = 0;
}

/* Gives the next part of a stream. Returns the size. Without bytes, defers until the next write. */
static ssize_t read_stream(nghttp2_session *session, int32_t stream_id, uint8_t *out, size_t max,
                           uint32_t *flags, nghttp2_data_source *source, void *context)
{
    struct http_request *request = nghttp2_session_get_stream_user_data(session, stream_id);
    (void)source;
    (void)context;
    if (request == NULL)
        return NGHTTP2_ERR_DEFERRED;
    struct http_stream *stream = request->stream;
    pthread_mutex_lock(&stream->lock);
    size_t unread = stream->size - stream->taken, size = unread < max ? unread : max;
    bool ended = stream->ended, broken = stream->broken;
    if (size > 0) {
        memcpy(out, stream->bytes + stream->taken, size);
        stream->taken += size;
        if (size == unread)
            forget_bytes(stream);
    }
    pthread_mutex_unlock(&stream->lock);
    if (broken)
        return NGHTTP2_ERR_DEFERRED; /* it is posted, and will be reset */
    int failed = size == unread && ended ? end_body(session, stream_id, stream->trailers, flags) : 0;
    if (failed != 0)
        return failed;
    return size == 0 && !ended ? NGHTTP2_ERR_DEFERRED : (ssize_t)size;
}

/* ---- heads ---- */

struct head {
    nghttp2_nv nv[NV_MAX];
    size_t count;
    char code[NUMBER_SIZE], length[NUMBER_SIZE];
};

static void add(struct head *head, const char *name, const char *value)
{
    CHECK(head->count < NV_MAX);
    head->nv[head->count++] = nv_of(name, value);
}

static void add_all(struct head *head, const struct http_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add(head, fields[i].name, fields[i].value);
}

/* Returns the time as a Date field, which changes once a second. */
static const char *date_of(struct http2_thread *thread)
{
    time_t now_s = (time_t)(clock_now_us() / US_PER_S);
    struct tm utc;
    if (now_s != thread->date_s && gmtime_r(&now_s, &utc) != NULL) {
        (void)strftime(thread->date, sizeof thread->date, "%a, %d %b %Y %H:%M:%S GMT", &utc);
        thread->date_s = now_s;
    }
    return thread->date;
}

static const char *decimal(char out[NUMBER_SIZE], size_t number)
{
    char *at = out + NUMBER_SIZE - 1;
    *at = '\0';
    do
        *--at = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    return at;
}

static void write_head(const struct http_request *request, struct head *head)
{
    const struct http_answer *answer = &request->answer;
    add(head, ":status", decimal(head->code, answer->code));
    if (answer->type != NULL)
        add(head, "content-type", answer->type);
    add(head, "date", date_of(request->thread));
    if (request->stream == NULL && answer->trailers[0].name == NULL && answer->code != HTTP_NO_CONTENT &&
        answer->code != HTTP_NOT_MODIFIED)
        add(head, "content-length", decimal(head->length, answer->body_size));
    add_all(head, http_always, HTTP_ALWAYS_COUNT);
    add_all(head, request->added, request->added_count);
    add_all(head, answer->fields, count_fields(answer->fields, HTTP_FIELDS_MAX));
}

/* Gives the answer to libnghttp2. */
static void answer(struct http_request *request)
{
    struct http2_connection *connection = request->connection;
    const struct http_answer *given = &request->answer;
    bool is_stream = request->stream != NULL;
    bool has_body = is_stream || given->body_size > 0 || given->trailers[0].name != NULL;
    int64_t took_ns = is_stream ? -1 : clock_monotonic_ns() - request->begun_ns;
    nghttp2_data_provider provider = {.read_callback = is_stream ? read_stream : read_body};
    struct head head = {.count = 0};
    write_head(request, &head);
    charge_answer(request);
    request->answered = true;
    request->moved_ns = clock_monotonic_ns();
    request->deadline_ns =
        is_stream ? HTTP2_NO_DEADLINE : http2_after_ms(http2_options(request)->idle_timeout_ms);
    if (nghttp2_submit_response(connection->session, request->stream_id, head.nv, head.count,
                                has_body && !request->is_head ? &provider : NULL) != 0) {
        log_plain(LOG_ERROR, "http.out_of_memory");
        connection->broken = true;
    }
    http_metrics_count(request->route, request->method, given->code, took_ns);
}

/* Has libnghttp2 read the stream, or resets it if it is broken. */
static void go_on(struct http_request *request)
{
    struct http_stream *stream = request->stream;
    pthread_mutex_lock(&stream->lock);
    bool ended = stream->ended, broken = stream->broken;
    pthread_mutex_unlock(&stream->lock);
    if (broken) {
        http2_request_abandon(request, NGHTTP2_CANCEL);
        return;
    }
    if (ended && request->deadline_ns == HTTP2_NO_DEADLINE)
        request->deadline_ns = http2_after_ms(END_MS);
    /* Fails if the stream was not deferred, and then libnghttp2 reads it anyway. */
    (void)nghttp2_session_resume_data(request->connection->session, request->stream_id);
}

void http2_request_take(struct http_request *request)
{
    if (request->released) {
        free_request(request);
        return;
    }
    if (request->closed) {
        release(request);
        return;
    }
    http2_mark_dirty(request->connection);
    if (request->connection->broken) { /* the session must not be used any more */
        request->answered = true;
        return;
    }
    if (!request->answered)
        answer(request);
    if (request->stream != NULL && !request->connection->broken)
        go_on(request);
}

/* ---- for handlers and writers, on any thread ---- */

void http_respond(struct http_request *request, const struct http_answer *answer)
{
    CHECK(!request->responded);
    request->responded = true;
    request->answer = *answer;
    http2_post(request);
}

struct http_stream *http_stream_open(struct http_request *request, const char *type,
                                     void (*closed)(void *context), void *context)
{
    struct http_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL)
        return NULL;
    *stream = (struct http_stream){.request = request, .closed = closed, .context = context};
    pthread_mutex_init(&stream->lock, NULL);
    request->stream = stream;
    http_respond(request, &(struct http_answer){
                              .code = HTTP_OK,
                              .type = type,
                              .fields = {{"x-accel-buffering", "no"}}, /* no proxy may buffer the stream */
                          });
    return stream;
}

/* Appends bytes, with the stream's lock held. Returns false if they are too many, or when out of memory. */
static bool append(struct http_stream *stream, const void *bytes, size_t size)
{
    size_t unread = stream->size - stream->taken;
    if (unread + size > HTTP_STREAM_MAX)
        return false;
    if (stream->size + size > stream->capacity && stream->taken > 0) {
        memmove(stream->bytes, stream->bytes + stream->taken, unread);
        stream->size = unread;
        stream->taken = 0;
    }
    if (array_reserve(&stream->bytes, &stream->capacity, stream->size + size) != STATUS_OK)
        return false;
    if (size > 0)
        memcpy(stream->bytes + stream->size, bytes, size);
    stream->size += size;
    return true;
}

bool http_stream_write(struct http_stream *stream, const void *bytes, size_t size)
{
    pthread_mutex_lock(&stream->lock);
    bool was_open = !stream->ended, written = was_open && append(stream, bytes, size);
    if (was_open && !written) {
        metric_add(&http_slow_total, 1);
        stream->ended = stream->broken = true;
        forget_bytes(stream);
    }
    pthread_mutex_unlock(&stream->lock);
    if (was_open)
        http2_post(stream->request);
    return written;
}

size_t http_stream_unread(struct http_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    size_t unread = stream->size - stream->taken;
    pthread_mutex_unlock(&stream->lock);
    return unread;
}

void http_stream_end_with(struct http_stream *stream, const struct http_field *trailers)
{
    pthread_mutex_lock(&stream->lock);
    stream->trailers = trailers;
    stream->ended = true;
    pthread_mutex_unlock(&stream->lock);
    http2_post(stream->request);
}

void http_stream_end(struct http_stream *stream)
{
    http_stream_end_with(stream, NULL);
}
