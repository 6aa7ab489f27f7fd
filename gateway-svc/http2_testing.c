#include "http2_testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

/* ---- a server ---- */

static size_t body_max(void *context, const struct http_request *request)
{
    (void)context;
    return strcmp(http_path(request), "/pieces") == 0 ? HTTP_BODY_IN_PIECES : BODY_MAX;
}

static void count_closed(void *context)
{
    struct world *world = context;
    pthread_mutex_lock(&world->writing);
    atomic_fetch_add(&world->closed, 1);
    pthread_mutex_unlock(&world->writing);
}

bool write_slow(struct world *world, struct http_stream *stream, const void *bytes, size_t size)
{
    pthread_mutex_lock(&world->writing);
    bool written = http_stream_write(stream, bytes, size);
    pthread_mutex_unlock(&world->writing);
    return written;
}

void respond(struct http_request *request)
{
    size_t size;
    const char *body = http_body(request, &size);
    char *copied = arena_alloc(http_arena(request), size + 1);
    struct http_answer answer = {.code = copied != NULL ? 200 : 503, .type = "text/plain"};
    if (copied != NULL) {
        memcpy(copied, body, size);
        answer.body = copied;
        answer.body_size = size;
    }
    http_respond(request, &answer);
}

bool has_waiting(struct world *world)
{
    pthread_mutex_lock(&world->lock);
    size_t count = world->waiting_count;
    pthread_mutex_unlock(&world->lock);
    return count > 0;
}

static void respond_big(struct http_request *request)
{
    char *body = arena_alloc(http_arena(request), BIG_BYTES);
    http_respond(request, &(struct http_answer){.code = body != NULL ? 200 : 503,
                                                .type = "text/plain",
                                                .body = body,
                                                .body_size = body != NULL ? BIG_BYTES : 0});
}

/* A request to /pieces: its stream sends each piece of its body back. */
struct echo {
    struct world *world;
    struct http_stream *stream;
};

static void echo_piece(void *context, const uint8_t *bytes, size_t size)
{
    static const struct http_field trailers[] = {{"x-pieces", "whole"}, {NULL, NULL}};
    const struct echo *echo = context;
    if (bytes == NULL)
        http_stream_end_with(echo->stream, trailers);
    else
        (void)http_stream_write(echo->stream, bytes, size);
}

static void end_echo(void *context)
{
    struct echo *echo = context;
    count_closed(echo->world);
    free(echo);
}

static void echo_pieces(struct world *world, struct http_request *request)
{
    struct echo *echo = calloc(1, sizeof *echo);
    if (echo != NULL)
        echo->stream = http_stream_open(request, "text/plain", end_echo, echo);
    if (echo == NULL || echo->stream == NULL) {
        free(echo);
        http_respond(request, &(struct http_answer){.code = 503});
        return;
    }
    echo->world = world;
    atomic_fetch_add(&world->opened, 1);
    http_body_read(request, echo_piece, echo);
}

static void handle(void *context, struct http_request *request)
{
    static const char bytes[STREAM_BYTES] = {0};
    struct world *world = context;
    if (strcmp(http_path(request), "/later") == 0) {
        pthread_mutex_lock(&world->lock);
        world->waiting[world->waiting_count++] = request;
        pthread_mutex_unlock(&world->lock);
    } else if (strcmp(http_path(request), "/echo") == 0) {
        respond(request);
    } else if (strcmp(http_path(request), "/big") == 0) {
        respond_big(request);
    } else if (strcmp(http_path(request), "/pieces") == 0) {
        echo_pieces(world, request);
    } else {
        bool is_slow = strcmp(http_path(request), "/slow") == 0;
        struct http_stream *stream = http_stream_open(request, "text/event-stream", count_closed, world);
        if (stream == NULL) {
            http_respond(request, &(struct http_answer){.code = 503});
            return;
        }
        atomic_fetch_add(&world->opened, 1);
        if (is_slow)
            atomic_store(&world->slow, stream);
        else if (http_stream_write(stream, bytes, sizeof bytes))
            http_stream_end(stream);
    }
}

static void refuse(void *context, struct http_request *request, unsigned code, const char *why)
{
    (void)context;
    http_respond(request, &(struct http_answer){
                              .code = code, .type = "text/plain", .body = why, .body_size = strlen(why)});
}

void open_world(struct world *world)
{
    memset(world, 0, sizeof *world);
    pthread_mutex_init(&world->lock, NULL);
    pthread_mutex_init(&world->writing, NULL);
    snprintf(world->listen, sizeof world->listen, "unix:/tmp/http2_test.%d", (int)getpid());
    const struct http_options options = {
        .listen = world->listen,
        .connections_max = 64,
        .threads = THREADS,
        .request_timeout_ms = DEADLINE_S * MS_PER_S,
        .idle_timeout_ms = 10 * DEADLINE_S * MS_PER_S, /* no test waits for it */
        .body_max = body_max,
        .handle = handle,
        .refuse = refuse,
        .context = world,
    };
    struct error error;
    assert_int_equal(http_open(&options, &world->server, &error), STATUS_OK);
}

void wait_until(bool (*condition)(struct world *world), struct world *world)
{
    const struct timespec look = {.tv_nsec = NS_PER_MS};
    int64_t end_ns = clock_monotonic_ns() + (int64_t)DEADLINE_S * NS_PER_S;
    while (!condition(world)) {
        assert_true(clock_monotonic_ns() < end_ns);
        nanosleep(&look, NULL);
    }
}

bool is_empty(struct world *world)
{
    return atomic_load(&world->server->in_flight) == 0 && atomic_load(&world->server->connection_count) == 0;
}

void close_world(struct world *world)
{
    wait_until(is_empty, world);
    for (int part = 0; part < HTTP2_PARTS; part++)
        assert_int_equal(atomic_load(&world->server->held[part].all), 0);
    assert_int_equal(atomic_load(&world->opened), atomic_load(&world->closed));
    assert_true(http_drain(world->server, 0));
    http_close(world->server);
    pthread_mutex_destroy(&world->lock);
    pthread_mutex_destroy(&world->writing);
}

/* ---- a client ---- */

int connect_to(const struct world *world)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval limit = {.tv_sec = DEADLINE_S};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", world->listen + strlen("unix:"));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static int on_close(nghttp2_session *session, int32_t stream_id, uint32_t error_code, void *context)
{
    struct client *client = context;
    (void)session;
    (void)stream_id;
    client->ended += error_code == NGHTTP2_NO_ERROR;
    client->reset += error_code != NGHTTP2_NO_ERROR;
    if (error_code != NGHTTP2_NO_ERROR)
        client->error_code = error_code;
    return 0;
}

static int on_chunk(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *bytes,
                    size_t size, void *context)
{
    struct client *client = context;
    (void)session, (void)flags, (void)stream_id, (void)bytes;
    client->received += size;
    return 0;
}

static int on_field(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                    size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags, void *context)
{
    struct client *client = context;
    (void)session, (void)frame, (void)flags, (void)value_size;
    if (name_size == strlen(":status") && memcmp(name, ":status", name_size) == 0)
        client->status = (int)strtol((const char *)value, NULL, 10);
    client->trailers += name_size == strlen("x-pieces") && memcmp(name, "x-pieces", name_size) == 0;
    return 0;
}

void begin_client(struct client *client, uint32_t window)
{
    nghttp2_session_callbacks *callbacks;
    const nghttp2_settings_entry setting = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window};
    *client = (struct client){.fd = -1, .address = "192.0.2.7"};
    assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_chunk);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_field);
    assert_int_equal(nghttp2_session_client_new(&client->session, callbacks, client), 0);
    assert_int_equal(nghttp2_submit_settings(client->session, NGHTTP2_FLAG_NONE, &setting, 1), 0);
    nghttp2_session_callbacks_del(callbacks);
}

void connect_client(struct client *client, const struct world *world, uint32_t window)
{
    begin_client(client, window);
    client->fd = connect_to(world);
}

void open_and_connect(struct world *world, struct client *client, uint32_t window)
{
    open_world(world);
    connect_client(client, world, window);
}

static ssize_t read_body(nghttp2_session *session, int32_t stream_id, uint8_t *out, size_t max,
                         uint32_t *flags, nghttp2_data_source *source, void *context)
{
    size_t *left = source->ptr, size = *left < max ? *left : max;
    (void)session, (void)stream_id, (void)context;
    memset(out, 'x', size);
    *left -= size;
    *flags |= *left == 0 ? NGHTTP2_DATA_FLAG_EOF : 0;
    return (ssize_t)size;
}

static nghttp2_nv nv(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value),
                        NGHTTP2_NV_FLAG_NONE};
}

void submit(struct client *client, const char *path, size_t *body_size)
{
    submit_from(client, path, body_size, read_body);
}

void submit_from(struct client *client, const char *path, size_t *body_size,
                 nghttp2_data_source_read_callback read)
{
    const nghttp2_nv head[] = {nv(":method", body_size != NULL ? "POST" : "GET"), nv(":scheme", "http"),
                               nv(":authority", "test"), nv(":path", path),
                               nv("x-forwarded-for", client->address)};
    const nghttp2_data_provider body = {.source.ptr = body_size, .read_callback = read};
    assert_true(nghttp2_submit_request(client->session, NULL, head, sizeof head / sizeof head[0],
                                       body_size != NULL ? &body : NULL, NULL) > 0);
}

void send_all(struct client *client)
{
    const uint8_t *bytes;
    ssize_t size;
    while ((size = nghttp2_session_mem_send(client->session, &bytes)) > 0)
        assert_int_equal(send(client->fd, bytes, (size_t)size, MSG_NOSIGNAL), size);
}

void pump(struct client *client)
{
    uint8_t bytes[16384];
    send_all(client);
    ssize_t size = recv(client->fd, bytes, sizeof bytes, 0);
    assert_true(size > 0);
    assert_int_equal(nghttp2_session_mem_recv(client->session, bytes, (size_t)size), size);
    send_all(client);
}

void end_client(struct client *client)
{
    nghttp2_session_del(client->session);
    close(client->fd);
}
