/* The session of a connection: what comes from the client, up to the request that goes to the handler. */
#include "http2_internal.h"
#include "http_status.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/metrics.h"

/* The limits for frames that carry nothing: a burst, and a rate per second. */
enum { CALM_BURST = 500, CALM_PER_S = 100 };

/* A client that resets a request after this time has given up, for example at the deadline of a gRPC call. */
static const int64_t WAITED_NS = INT64_C(100) * NS_PER_MS;

/* libnghttp2 counts all resets, also those of requests that a client has given up, so its limits are wide. */
enum { RESETS_BURST = 100000, RESETS_PER_S = 10000 };

/*
 * The maximum number of frames that wait to be sent, not counting DATA. For some requests, such as those
 * beyond the maximum number of streams, libnghttp2 queues a RST_STREAM without a callback, so a client that
 * does not read could make the queue grow without bound.
 */
enum { QUEUED_MAX = 1024 };

/* The most bytes of all fields. Beyond that the request is reset: one byte can name a field of 4,000. */
enum { HEAD_READ_MAX = 4 * HTTP_HEAD_MAX };

/* The most bytes read from a request that was refused before the end of its body. */
enum { DROPPED_MAX = 4 * 1024 * 1024 };

enum { FIRST_BODY_BYTES = 1024, FIELDS_MAX = 128, FIELD_OVERHEAD = 32, PATH_KEPT = 256, VALUE_KEPT = 64 };

static const char PATH[] = ":path", TYPE[] = "content-type", FORWARDED[] = "x-forwarded-for";

/* Charged for each request: itself, and the first piece of its arena. */
enum { REQUEST_BYTES = sizeof(struct http_request) + 4096 };

/* ---- memory of libnghttp2 ---- */

/*
 * Returns `memory`, the result of an allocation, and notes a failure. After a failed allocation, libnghttp2
 * 1.52 may free a frame and still have it in a stream. So a session that has run out of memory is not used
 * any more, and never freed.
 */
static void *checked(void *memory, size_t size, void *context)
{
    struct http2_connection *connection = context;
    if (memory == NULL && size > 0)
        connection->out_of_memory = connection->broken = true;
    return memory;
}

static void *allocate(size_t size, void *context)
{
    return checked(malloc(size), size, context);
}

static void release(void *memory, void *context)
{
    (void)context;
    free(memory);
}

static void *allocate_zeroed(size_t count, size_t size, void *context)
{
    return checked(calloc(count, size), count * size, context);
}

static void *reallocate(void *memory, size_t size, void *context)
{
    return checked(realloc(memory, size), size, context);
}

/* ---- refusals ---- */

/* Sets why the request will be refused at the end of its head, unless a reason is set already. */
static void doubt(struct http_request *request, unsigned code, const char *why)
{
    if (request->refusal == 0) {
        request->refusal = code;
        request->why = why;
    }
}

/* Refuses the request without waiting for the rest of its body, which is then dropped. */
static void refuse(struct http_request *request)
{
    const struct http_options *options = http2_options(request);
    metric_add(&http_refused_total, 1);
    request->handed_over = true;
    request->deadline_ns = HTTP2_NO_DEADLINE;
    options->refuse(options->context, request, request->refusal, request->why);
}

static const char BUSY[] = "too many requests in flight";

static void refuse_with(struct http_request *request, unsigned code, const char *why)
{
    doubt(request, code, why);
    refuse(request);
}

/* ---- the head ---- */

/* Counts a frame that carries nothing, or a request that is reset at once. Ends the connection if there are
 * too many. */
static int count_empty(nghttp2_session *session, struct http2_connection *connection)
{
    int64_t now_ns = clock_monotonic_ns();
    if (connection->calm_ns < now_ns)
        connection->calm_ns = now_ns;
    connection->calm_ns += NS_PER_S / CALM_PER_S;
    if (connection->calm_ns - now_ns <= (int64_t)CALM_BURST * (NS_PER_S / CALM_PER_S))
        return 0;
    return nghttp2_session_terminate_session(session, NGHTTP2_ENHANCE_YOUR_CALM) == 0
               ? 0
               : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct http2_connection *connection = context;
    struct http_server *server = connection->thread->server;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    struct http_request *request =
        connection->request_count < HTTP2_REQUESTS_MAX ? calloc(1, sizeof *request) : NULL;
    if (request != NULL) {
        request->thread = connection->thread;
        memcpy(request->client, connection->client, sizeof connection->client);
        http2_charge_client(request);
    }
    if (request == NULL || !http2_charge(request, HTTP2_HEADS, REQUEST_BYTES)) {
        free(request);
        bool refused = count_empty(session, connection) == 0 &&
                       nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                                 NGHTTP2_REFUSED_STREAM) == 0;
        return refused ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE : NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    request->begun_ns = clock_monotonic_ns();
    request->method = request->path = "";
    arena_init(&request->arena);
    request->connection = connection;
    request->stream_id = frame->hd.stream_id;
    request->deadline_ns = http2_after_ms(server->options.request_timeout_ms);
    list_add(&connection->requests, &request->node);
    connection->request_count++;
    atomic_fetch_add(&server->in_flight, 1);
    metric_add(&http_in_hand_now, 1);
    (void)nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, request);
    return 0;
}

static bool keep_field(struct http_request *request, const char *name, const char *value)
{
    if (strcmp(name, ":method") == 0) {
        request->is_head = strcmp(value, "HEAD") == 0;
        request->method = request->is_head ? "GET" : value;
    } else if (strcmp(name, PATH) == 0) {
        request->path = value;
    } else if (strcmp(name, ":authority") == 0) {
        request->authority = value;
        return http_list_add(&request->arena, &request->fields, "host", value);
    } else if (name[0] != ':') {
        if (strcmp(name, "host") == 0 && request->authority != NULL)
            return true; /* on_header compares them */
        return http_list_add(&request->arena, &request->fields, name, value);
    }
    return true;
}

/* Keeps what decides how a refusal looks, and which client is charged for it. */
static void keep_for_refusal(struct http_request *request, const char *name, const char *value)
{
    bool is_type = strcmp(name, TYPE) == 0 && http_header(request, TYPE) == NULL;
    if (strcmp(name, PATH) == 0 && request->path[0] == '\0') {
        const char *path = arena_printf(&request->arena, "%.*s", PATH_KEPT, value);
        request->path = path != NULL ? path : "";
    } else if (strlen(value) <= VALUE_KEPT && (is_type || strcmp(name, FORWARDED) == 0)) {
        const char *copy = arena_strdup(&request->arena, value);
        bool kept = copy != NULL &&
                    http_list_add(&request->arena, &request->fields, is_type ? TYPE : FORWARDED, copy);
        (void)kept; /* without it, the refusal is one of REST or Connect, or its client is not known */
    }
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name_bytes,
                     size_t name_size, const uint8_t *value_bytes, size_t value_size, uint8_t flags,
                     void *context)
{
    struct http_request *request = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    (void)flags;
    (void)context;
    if (request == NULL)
        return 0;
    const char *name = (const char *)name_bytes, *value = (const char *)value_bytes; /* end with a NUL */
    size_t size = name_size + value_size + FIELD_OVERHEAD;
    request->head_bytes += size;
    if (request->head_bytes > HEAD_READ_MAX)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    if (request->head_bytes > HTTP_HEAD_MAX)
        doubt(request, HTTP_HEAD_TOO_LARGE, "the head is too large");
    else if (request->fields.count == FIELDS_MAX)
        doubt(request, HTTP_HEAD_TOO_LARGE, "the head has too many fields");
    else if (request->refusal == 0 && !http2_charge(request, HTTP2_HEADS, size))
        doubt(request, HTTP_SERVICE_UNAVAILABLE, BUSY);
    if (request->refusal != 0) {
        keep_for_refusal(request, name, value);
        return 0;
    }
    name = arena_strdup(&request->arena, name);
    value = arena_strdup(&request->arena, value);
    if (name == NULL || value == NULL || !keep_field(request, name, value))
        doubt(request, HTTP_SERVICE_UNAVAILABLE, "out of memory");
    else if (strcmp(name, "host") == 0 && request->authority != NULL &&
             strcmp(value, request->authority) != 0)
        doubt(request, HTTP_BAD_REQUEST, "Host: must not differ from :authority");
    return 0;
}

/* Refuses the request, because libnghttp2 would drop the field. Has no effect in trailers. */
static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                             size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
                             void *context)
{
    struct http_request *request = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    (void)name, (void)value, (void)flags, (void)context;
    if (request == NULL)
        return 0;
    doubt(request, HTTP_BAD_REQUEST, "a field of the head is malformed");
    request->head_bytes += name_size + value_size + FIELD_OVERHEAD;
    return request->head_bytes > HEAD_READ_MAX ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE : 0;
}

/* Reads the address after the last comma of the last X-Forwarded-For, which the proxy has set. */
static void read_forwarded(struct http_request *request)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {.any.sa_family = AF_UNSPEC};
    const char *text = NULL;
    for (size_t i = 0; i < request->fields.count; i++)
        if (strcasecmp(request->fields.fields[i].name, FORWARDED) == 0)
            text = request->fields.fields[i].value;
    const char *comma = text != NULL ? strrchr(text, ',') : NULL;
    text = comma != NULL ? comma + 1 + strspn(comma + 1, " ") : text;
    if (text != NULL && inet_pton(AF_INET, text, &address.v4.sin_addr) == 1)
        address.any.sa_family = AF_INET;
    else if (text != NULL && inet_pton(AF_INET6, text, &address.v6.sin6_addr) == 1)
        address.any.sa_family = AF_INET6;
    if (!client_address_format(&address.any, request->client))
        request->client[0] = '\0';
    http2_charge_client(request);
}

/* Splits the path from the query. Sets request->refusal if the head cannot be served. */
static void check_head(struct http_request *request)
{
    const struct http_options *options = http2_options(request);
    char *query = strchr(request->path, '?');
    if (query != NULL)
        *query++ = '\0';
    if (request->thread->server->unix_path != NULL)
        read_forwarded(request);
    if (request->refusal != 0)
        return;
    if (request->path[0] != '/' && strcmp(request->path, "*") != 0)
        doubt(request, HTTP_BAD_REQUEST, ":path: must begin with /");
    enum status parsed = query != NULL ? http_query_parse(request, query) : STATUS_OK;
    if (parsed != STATUS_OK)
        doubt(request, parsed == STATUS_INVALID_ARGUMENT ? HTTP_BAD_REQUEST : HTTP_SERVICE_UNAVAILABLE,
              parsed == STATUS_INVALID_ARGUMENT ? "the query has too many parameters" : "out of memory");
    if (!http2_has_room(request, HTTP2_HEADS) || !http2_has_room(request, HTTP2_ANSWERS))
        doubt(request, HTTP_SERVICE_UNAVAILABLE, BUSY);
    request->body_max = options->body_max(options->context, request);
    request->in_pieces = request->body_max == HTTP_BODY_IN_PIECES;
    const char *length = http_header(request, "content-length"); /* libnghttp2 has checked the length */
    if (length != NULL && strtoull(length, NULL, 10) > request->body_max)
        doubt(request, HTTP_CONTENT_TOO_LARGE, "the body is too large");
}

/* Passes the request to the handler, or the end of the body if the handler has the request. */
static void hand_over(struct http_request *request)
{
    const struct http_options *options = http2_options(request);
    if (request->handed_over) {
        if (request->take != NULL)
            request->take(request->take_context, NULL, 0);
        return;
    }
    request->deadline_ns = HTTP2_NO_DEADLINE;
    request->handed_over = true;
    options->handle(options->context, request);
}

static bool expects_continue(const struct http_request *request)
{
    const char *expect = http_header(request, "expect");
    return expect != NULL && strcasecmp(expect, "100-continue") == 0;
}

static int on_head(nghttp2_session *session, struct http_request *request, bool ended)
{
    static const nghttp2_nv go_on = {(uint8_t *)":status", (uint8_t *)"100", strlen(":status"), strlen("100"),
                                     NGHTTP2_NV_FLAG_NONE};
    request->head_done = true;
    check_head(request);
    if (request->refusal != 0)
        refuse(request);
    else if (!ended && expects_continue(request) &&
             nghttp2_submit_headers(session, NGHTTP2_FLAG_NONE, request->stream_id, NULL, &go_on, 1, NULL) <
                 0)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    else if (request->in_pieces)
        hand_over(request);
    return 0;
}

/* ---- the body ---- */

/* Makes room for more of the body. Refuses the request and returns false if there is none. */
static bool make_room(struct http_request *request, size_t size)
{
    size_t wanted = request->body_size + size + 1;
    if (wanted <= request->body_capacity)
        return true;
    size_t capacity = 2 * request->body_capacity;
    capacity = capacity < FIRST_BODY_BYTES ? FIRST_BODY_BYTES : capacity;
    capacity = capacity > request->body_max + 1 ? request->body_max + 1 : capacity;
    capacity = capacity < wanted ? wanted : capacity;
    if (!http2_charge(request, HTTP2_BODIES, capacity - request->body_capacity)) {
        refuse_with(request, HTTP_SERVICE_UNAVAILABLE, BUSY);
        return false;
    }
    char *body = realloc(request->body, capacity);
    if (body == NULL) {
        refuse_with(request, HTTP_SERVICE_UNAVAILABLE, "out of memory");
        return false;
    }
    request->body = body;
    request->body_capacity = capacity;
    return true;
}

/* Stops a body of which too much was dropped. A reset sent with the answer would make many clients discard
 * the answer. */
static int stop_body(nghttp2_session *session, int32_t stream_id)
{
    return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream_id, NGHTTP2_NO_ERROR) == 0
               ? 0
               : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *bytes,
                   size_t size, void *context)
{
    struct http_request *request = nghttp2_session_get_stream_user_data(session, stream_id);
    (void)flags;
    (void)context;
    if (request == NULL)
        return 0;
    if (request->take != NULL) {
        request->take(request->take_context, bytes, size);
        return 0;
    }
    if (request->handed_over) {
        request->dropped_bytes += size;
        return request->dropped_bytes > DROPPED_MAX ? stop_body(session, stream_id) : 0;
    }
    if (size > request->body_max - request->body_size) {
        refuse_with(request, HTTP_CONTENT_TOO_LARGE, "the body is too large");
    } else if (make_room(request, size)) {
        memcpy(request->body + request->body_size, bytes, size);
        request->body_size += size;
        request->body[request->body_size] = '\0';
    }
    return 0;
}

/* ---- frames ---- */

/* Returns whether a reset ends a request that the client has waited for. HTTP2_REQUESTS_MAX bounds those. */
static bool gives_up(nghttp2_session *session, const nghttp2_frame_hd *head)
{
    const struct http_request *request = nghttp2_session_get_stream_user_data(session, head->stream_id);
    return head->type == NGHTTP2_RST_STREAM && request != NULL &&
           clock_monotonic_ns() - request->begun_ns > WAITED_NS;
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *head, void *context)
{
    bool carries = head->type == NGHTTP2_HEADERS || head->type == NGHTTP2_CONTINUATION ||
                   head->type == NGHTTP2_DATA || head->type == NGHTTP2_WINDOW_UPDATE;
    return carries || gives_up(session, head) ? 0 : count_empty(session, context);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    bool ended = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    if (frame->hd.type == NGHTTP2_DATA && !ended && frame->hd.length == frame->data.padlen)
        return count_empty(session, context);
    struct http_request *request = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    int failed = 0;
    if (request != NULL && !request->head_done)
        failed = on_head(session, request, ended);
    if (request != NULL && ended && failed == 0)
        hand_over(request);
    return failed;
}

/*
 * After an answer that came before the end of the body, gives the client time to send the rest. Not after a
 * stream: no rest of its body is of interest, and the time for the end of a stream is already running.
 */
static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    bool last = (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
                (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    struct http_request *request =
        last ? nghttp2_session_get_stream_user_data(session, frame->hd.stream_id) : NULL;
    (void)context;
    if (request != NULL && request->stream == NULL &&
        nghttp2_session_get_stream_remote_close(session, frame->hd.stream_id) == 0)
        request->deadline_ns = http2_after_ms(http2_options(request)->request_timeout_ms);
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error_code, void *context)
{
    struct http_request *request = nghttp2_session_get_stream_user_data(session, stream_id);
    (void)error_code;
    (void)context;
    if (request != NULL)
        http2_request_close(request);
    return 0;
}

bool http2_callbacks_create(struct http_server *server)
{
    if (nghttp2_session_callbacks_new(&server->callbacks) != 0 || nghttp2_option_new(&server->option) != 0)
        return false;
    nghttp2_session_callbacks *callbacks = server->callbacks;
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_option_set_no_closed_streams(server->option, 1);
    nghttp2_option_set_stream_reset_rate_limit(server->option, RESETS_BURST, RESETS_PER_S);
    return true;
}

/* ---- for http2.c ---- */

bool http2_session_begin(struct http2_connection *connection)
{
    static const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, HTTP2_REQUESTS_MAX},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTP_HEAD_MAX},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    const struct http_server *server = connection->thread->server;
    nghttp2_mem memory = {connection, allocate, release, allocate_zeroed, reallocate};
    return nghttp2_session_server_new3(&connection->session, server->callbacks, connection, server->option,
                                       &memory) == 0 &&
           nghttp2_submit_settings(connection->session, NGHTTP2_FLAG_NONE, settings,
                                   sizeof settings / sizeof settings[0]) == 0;
}

bool http2_session_receive(struct http2_connection *connection, const unsigned char *bytes, size_t size)
{
    return nghttp2_session_mem_recv(connection->session, bytes, size) == (ssize_t)size &&
           nghttp2_session_get_outbound_queue_size(connection->session) <= QUEUED_MAX;
}

void http2_session_end(struct http2_connection *connection)
{
    if (!connection->out_of_memory)
        nghttp2_session_del(connection->session); /* calls no callback for its streams */
    while (connection->requests.first != NULL) {
        struct http_request *request = container_of(connection->requests.first, struct http_request, node);
        list_remove(&request->node);
        request->connection = NULL;
        http2_request_close(request);
    }
}
