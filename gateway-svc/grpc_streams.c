#include "grpc_streams.h"

#include "grpc_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/metrics.h"

static struct metric streams_now = METRIC("grpc_streams", "Open streams of gRPC: Watch and reflection");

/* ---- opening and closing ---- */

/* A grpc_is_public_fn whose context is the struct backend. */
static bool is_public(const void *context, const char *service, const char *method)
{
    static const char OURS[] = "screening.";
    return strncmp(service, OURS, strlen(OURS)) != 0 ||
           backend_find(context, service, strlen(service), method) != NULL;
}

enum status grpc_streams_open(const struct backend *backend, struct grpc_streams **out, struct error *error)
{
    struct grpc_streams *streams = calloc(1, sizeof *streams);
    if (streams == NULL)
        return error_no_memory(error);
    enum status status = grpc_descriptors_open(is_public, backend, &streams->descriptors, error);
    if (status != STATUS_OK) {
        free(streams);
        return status;
    }
    pthread_mutex_init(&streams->lock, NULL);
    metric_register(&streams_now);
    *out = streams;
    return STATUS_OK;
}

void grpc_streams_look(struct grpc_streams *streams, bool is_ready)
{
    int64_t now_ns = clock_monotonic_ns();
    pthread_mutex_lock(&streams->lock);
    LIST_EACH(struct grpc_stream, stream, &streams->open, node) {
        if (!stream->ended && now_ns > stream->deadline_ns)
            grpc_stream_end(stream, STATUS_DEADLINE_EXCEEDED, "the deadline has passed");
        if (!stream->ended)
            stream->look(stream, is_ready, now_ns);
    }
    pthread_mutex_unlock(&streams->lock);
}

void grpc_streams_stop(struct grpc_streams *streams)
{
    pthread_mutex_lock(&streams->lock);
    streams->stopping = true;
    LIST_EACH(struct grpc_stream, stream, &streams->open, node)
        grpc_stream_end(stream, STATUS_UNAVAILABLE, "the gateway is stopping");
    pthread_mutex_unlock(&streams->lock);
}

void grpc_streams_close(struct grpc_streams *streams)
{
    if (streams == NULL)
        return;
    CHECK(streams->count == 0);
    grpc_descriptors_close(streams->descriptors);
    pthread_mutex_destroy(&streams->lock);
    free(streams);
}

/* ---- one stream ---- */

static void closed(void *context)
{
    struct grpc_stream *stream = context;
    struct grpc_streams *streams = stream->streams;
    pthread_mutex_lock(&streams->lock);
    CHECK(streams->count > 0);
    list_remove(&stream->node);
    streams->count--;
    pthread_mutex_unlock(&streams->lock);
    metric_add(&streams_now, -1);
    free(stream);
}

/* Returns UNAVAILABLE or RESOURCE_EXHAUSTED if this client may not have another stream. */
static enum status admit(const struct grpc_streams *streams, const char *client, struct error *error)
{
    size_t of_client = 0;
    if (streams->stopping)
        return error_set(error, STATUS_UNAVAILABLE, NULL, "the gateway is stopping");
    LIST_EACH(const struct grpc_stream, stream, &streams->open, node)
        of_client += strcmp(stream->client, client) == 0;
    CHECK(streams->count <= GRPC_STREAMS_MAX);
    if (of_client >= GRPC_STREAMS_MAX - streams->count)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "too many streams: this client has %zu",
                         of_client);
    return STATUS_OK;
}

enum status grpc_stream_begin(struct grpc_streams *streams, struct http_request *request,
                              struct grpc_stream *stream, struct error *error)
{
    uint32_t timeout_ms;
    const char *client = http_client(request);
    TRY(grpc_check_encoding(request, error));
    TRY(grpc_read_timeout(request, UINT32_MAX, UINT32_MAX, &timeout_ms, error));
    snprintf(stream->client, sizeof stream->client, "%s", client != NULL ? client : "");
    TRY(admit(streams, stream->client, error));
    stream->http = http_stream_open(request, GRPC_TYPE, closed, stream);
    if (stream->http == NULL)
        return error_no_memory(error);
    stream->streams = streams;
    stream->deadline_ns =
        timeout_ms < UINT32_MAX ? clock_monotonic_ns() + (int64_t)timeout_ms * NS_PER_MS : INT64_MAX;
    list_add(&streams->open, &stream->node);
    streams->count++;
    metric_add(&streams_now, 1);
    return STATUS_OK;
}

void grpc_stream_send(struct grpc_stream *stream, const ProtobufCMessage *message)
{
    struct arena arena;
    size_t size;
    if (stream->ended)
        return;
    arena_init(&arena);
    const uint8_t *framed = grpc_frame(&arena, message, &size);
    if (framed == NULL)
        grpc_stream_end(stream, STATUS_RESOURCE_EXHAUSTED, "out of memory");
    else if (http_stream_unread(stream->http) + size > HTTP_STREAM_MAX)
        grpc_stream_end(stream, STATUS_RESOURCE_EXHAUSTED, "too much is unread");
    else
        (void)http_stream_write(stream->http, framed, size); /* if it fails, the stream is reset */
    arena_fini(&arena);
}

void grpc_stream_end(struct grpc_stream *stream, enum status status, const char *message)
{
    if (stream->ended)
        return;
    stream->ended = true;
    snprintf(stream->code, sizeof stream->code, "%d", (int)status);
    stream->trailers[0] = (struct http_field){"grpc-status", stream->code};
    if (message[0] != '\0')
        stream->trailers[1] = (struct http_field){"grpc-message", message};
    http_stream_end_with(stream->http, stream->trailers);
}
