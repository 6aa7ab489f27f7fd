/*
 * A request is suspended in libmicrohttpd while it waits for its answer, and resumed by the thread that
 * answers. `state` decides which comes first, the handler's return or the answer.
 */
#include "http.h"

#include "http_head.h"
#include "http_metrics.h"
#include "http_request.h"
#include "http_status.h"
#include "http_system.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/ticker.h"
#include "service/listen.h"

enum { SWEEP_MS = 500, DRAIN_LOOK_MS = 10, LAST_ANSWERS_MS = 1000, NO_DEADLINE = 0 };

/*
 * The memory of a connection in libmicrohttpd. It holds the head of a request, the records of its fields, and
 * the head of the answer.
 */
enum { CONNECTION_MEMORY = 2 * HTTP_HEAD_MAX };

/* The number of bytes read from a request that is refused for its size, as a multiple of the largest body. */
enum { DROPPED_BODIES = 16 };

/* These fields are added to every answer, for browsers. Nothing here is a page, and nothing may be stored. */
static const struct http_field always[] = {
    {"X-Content-Type-Options", "nosniff"},
    {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
    {"Referrer-Policy", "no-referrer"},
    {"Cache-Control", "no-store"},
};

/* An accepted connection. */
struct connection {
    struct connection *next, *previous;
    int fd;
    struct http_wire wire;
    _Atomic int64_t deadline_ns; /* deadline for the whole request; NO_DEADLINE while one is in flight */
};

struct http_server {
    struct http_options options;
    struct MHD_Daemon *daemon;
    struct ticker *sweeper;
    int listener; /* the listening socket once the daemon has stopped using it; otherwise -1 */
    atomic_bool draining;
    atomic_size_t in_hand;
    pthread_mutex_t lock; /* guards the list; while a thread holds it, none of the descriptors is closed */
    struct connection *connections;
};

static struct metric in_hand_now =
    METRIC("http_requests_in_hand", "Requests over HTTP that wait for their answer");
static struct metric connections_now = METRIC("http_connections", "Connections over HTTP");
static struct metric timeouts_total =
    METRIC("http_timeouts_total", "Connections ended because no request came, or not fast enough");
static struct metric refused_total =
    METRIC("http_refused_total", "Requests refused for their form: 400, 413, 431");

/* ---- connections ---- */

static void set_deadline(struct connection *connection, uint32_t ms)
{
    atomic_store(&connection->deadline_ns, clock_monotonic_ns() + (int64_t)ms * NS_PER_MS);
}

/*
 * Returns the connection. Call it on the connection's thread. libmicrohttpd 1.0 answers in a buffer that each
 * connection has once.
 */
static struct connection *connection_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

void http_expect_end(struct connection *connection, uint32_t ms)
{
    if (connection != NULL)
        set_deadline(connection, ms);
}

static void add_connection(struct http_server *server, struct MHD_Connection *mhd, void **socket_context)
{
    int fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    struct connection *connection = calloc(1, sizeof *connection);
    *socket_context = connection;
    if (connection == NULL) {
        shutdown(fd, SHUT_RDWR); /* it would have no deadline, and its data would not be checked */
        return;
    }
    connection->fd = fd;
    set_deadline(connection, server->options.idle_timeout_ms);
    pthread_mutex_lock(&server->lock);
    connection->next = server->connections;
    if (connection->next != NULL)
        connection->next->previous = connection;
    server->connections = connection;
    pthread_mutex_unlock(&server->lock);
    if (!http_system_watch(fd, &connection->wire))
        shutdown(fd, SHUT_RDWR);
}

static void remove_connection(struct http_server *server, struct connection *connection)
{
    if (connection == NULL)
        return;
    http_system_forget(connection->fd);
    pthread_mutex_lock(&server->lock);
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        server->connections = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    pthread_mutex_unlock(&server->lock);
    free(connection);
}

static void on_connection(void *context, struct MHD_Connection *mhd, void **socket_context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct http_server *server = context;
    metric_add(&connections_now, what == MHD_CONNECTION_NOTIFY_STARTED ? 1 : -1);
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        add_connection(server, mhd, socket_context);
    else
        remove_connection(server, *socket_context);
}

/*
 * Closes late connections. Every byte restarts libmicrohttpd's own timeout, so a client that trickles would
 * stay forever.
 */
static void sweep(void *context, struct ticker *ticker)
{
    struct http_server *server = context;
    int64_t now_ns = clock_monotonic_ns();
    (void)ticker;
    pthread_mutex_lock(&server->lock);
    for (struct connection *c = server->connections; c != NULL; c = c->next) {
        int64_t deadline_ns = atomic_load(&c->deadline_ns);
        if (deadline_ns != NO_DEADLINE && now_ns > deadline_ns) {
            shutdown(c->fd, SHUT_RDWR);
            atomic_store(&c->deadline_ns, NO_DEADLINE);
            metric_add(&timeouts_total, 1);
        }
    }
    pthread_mutex_unlock(&server->lock);
}

/* ---- answers ---- */

enum MHD_Result http_queue_response(struct http_request *request, unsigned code,
                                    struct MHD_Response *response)
{
    if (response == NULL)
        return MHD_NO;
    enum MHD_Result result = MHD_YES;
    for (size_t i = 0; i < sizeof always / sizeof always[0] && result == MHD_YES; i++)
        result = MHD_add_response_header(response, always[i].name, always[i].value);
    for (size_t i = 0; i < request->added_count && result == MHD_YES; i++)
        result = MHD_add_response_header(response, request->added[i].name, request->added[i].value);
    if (result == MHD_YES && (request->must_close || atomic_load(&request->server->draining)))
        result = MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    if (result == MHD_YES)
        result = MHD_queue_response(request->mhd, code, response);
    MHD_destroy_response(response);
    http_metrics_count(request->route, request->method, code,
                       request->stream == NULL ? clock_monotonic_ns() - request->begun_ns : -1);
    return result;
}

static enum MHD_Result queue_answer(struct http_request *request)
{
    const struct http_answer *answer = &request->answer;
    struct MHD_Response *response = MHD_create_response_from_buffer(
        answer->body_size, (void *)(uintptr_t)answer->body, MHD_RESPMEM_PERSISTENT);
    enum MHD_Result result = response != NULL ? MHD_YES : MHD_NO;
    if (result == MHD_YES && answer->type != NULL)
        result = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->type);
    for (size_t i = 0; i < HTTP_FIELDS_MAX && answer->fields[i].name != NULL && result == MHD_YES; i++)
        result = MHD_add_response_header(response, answer->fields[i].name, answer->fields[i].value);
    if (result != MHD_YES) {
        if (response != NULL)
            MHD_destroy_response(response);
        log_plain(LOG_ERROR, "http.out_of_memory");
        return MHD_NO;
    }
    return http_queue_response(request, answer->code, response);
}

void http_respond(struct http_request *request, const struct http_answer *answer)
{
    request->answer = *answer;
    http_request_ready(request);
}

void http_request_ready(struct http_request *request)
{
    struct MHD_Connection *mhd = request->mhd; /* another thread may free the request after the exchange */
    if (atomic_exchange(&request->state, REQUEST_ANSWERED) == REQUEST_WAITING)
        MHD_resume_connection(mhd);
}

/* Sends the answer. A client that does not read it may keep its connection no longer than an idle one. */
static enum MHD_Result send_answer(struct http_request *request)
{
    struct connection *connection = connection_of(request->mhd);
    request->sent = true;
    if (connection != NULL && request->stream == NULL)
        set_deadline(connection, request->server->options.idle_timeout_ms);
    return request->stream != NULL ? http_stream_begin(request) : queue_answer(request);
}

/* ---- incoming requests ---- */

static enum MHD_Result refuse(struct http_request *request, unsigned code, const char *why)
{
    const struct http_options *options = &request->server->options;
    metric_add(&refused_total, 1);
    request->must_close = true;
    options->refuse(options->context, request, code, why);
    return send_answer(request);
}

static struct http_request *begin_request(struct http_server *server, struct MHD_Connection *mhd,
                                          const char *path, const char *method)
{
    struct http_request *request = calloc(1, sizeof *request);
    if (request == NULL)
        return NULL;
    request->server = server;
    request->mhd = mhd;
    request->connection = connection_of(mhd);
    request->path = path;
    request->begun_ns = clock_monotonic_ns();
    request->method = strcmp(method, MHD_HTTP_METHOD_HEAD) == 0 ? MHD_HTTP_METHOD_GET : method;
    arena_init(&request->arena);
    atomic_fetch_add(&server->in_hand, 1);
    metric_add(&in_hand_now, 1);
    return request;
}

static size_t body_max(struct http_request *request)
{
    const struct http_options *options = &request->server->options;
    if (request->body_max == 0) {
        size_t max = options->body_max(options->context, request);
        request->body_max = max < options->body_max_bytes ? max : options->body_max_bytes;
    }
    return request->body_max;
}

static bool is_head_too_large(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return info != NULL && info->header_size > HTTP_HEAD_MAX;
}

static enum MHD_Result on_head(struct http_request *request, const char *version)
{
    struct connection *connection = connection_of(request->mhd);
    if (connection != NULL)
        set_deadline(connection, request->server->options.request_timeout_ms);
    if (is_head_too_large(request->mhd))
        return refuse(request, HTTP_HEAD_TOO_LARGE, "the head is too large");
    const char *problem = http_head_problem(request->mhd, version);
    if (problem != NULL)
        return refuse(request, HTTP_BAD_REQUEST, problem);
    size_t max = request->server->options.body_max_bytes;
    unsigned long long length = http_head_length(request->mhd);
    if (length > DROPPED_BODIES * max)
        return refuse(request, HTTP_CONTENT_TOO_LARGE, "the body is too large");
    request->too_large = length > 0 && length > body_max(request);
    return MHD_YES;
}

/*
 * Takes a piece of the body. A body that is too large is answered only at its end, because a client that is
 * still sending would lose the answer when the connection closes. The rest of the body is dropped, up to a
 * limit.
 */
static enum MHD_Result on_body(struct http_request *request, const char *bytes, size_t size)
{
    size_t max = request->server->options.body_max_bytes;
    if (request->too_large || request->body_size + size > body_max(request)) {
        request->too_large = true;
        request->body_size += size;
        return request->body_size > DROPPED_BODIES * max ? MHD_NO : MHD_YES;
    }
    if (request->body_size + size >= request->body_capacity) {
        size_t capacity = 2 * (request->body_size + size) + 1;
        char *body = realloc(request->body, capacity);
        if (body == NULL)
            return MHD_NO;
        request->body = body;
        request->body_capacity = capacity;
    }
    memcpy(request->body + request->body_size, bytes, size);
    request->body_size += size;
    request->body[request->body_size] = '\0';
    return MHD_YES;
}

static enum MHD_Result on_complete(struct http_request *request)
{
    const struct http_options *options = &request->server->options;
    struct MHD_Connection *mhd = request->mhd;
    struct connection *connection = connection_of(mhd);
    if (connection != NULL)
        atomic_store(&connection->deadline_ns, NO_DEADLINE);
    if (request->too_large)
        return refuse(request, HTTP_CONTENT_TOO_LARGE, "the body is too large");
    request->handed_over = true;
    options->handle(options->context, request);
    if (atomic_load(&request->state) == REQUEST_ANSWERED)
        return send_answer(request);
    MHD_suspend_connection(mhd);
    if (atomic_exchange(&request->state, REQUEST_WAITING) == REQUEST_ANSWERED) {
        atomic_store(&request->state, REQUEST_ANSWERED);
        MHD_resume_connection(mhd);
    }
    return MHD_YES;
}

/* Is called when the head is complete, for each piece of the body, at its end, and after a resume. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *mhd, const char *path,
                                  const char *method, const char *version, const char *body,
                                  size_t *body_size, void **request_context)
{
    struct http_request *request = *request_context;
    if (request == NULL) {
        request = begin_request(context, mhd, path, method);
        *request_context = request;
        return request != NULL ? on_head(request, version) : MHD_NO;
    }
    if (request->sent)
        return MHD_YES;
    if (*body_size > 0) {
        size_t size = *body_size;
        *body_size = 0;
        return on_body(request, body, size);
    }
    if (!request->handed_over)
        return on_complete(request);
    return atomic_load(&request->state) == REQUEST_ANSWERED ? send_answer(request) : MHD_YES;
}

/*
 * Is called when the answer was sent or the connection is closed. A waiting request is suspended, so this
 * call never precedes its answer.
 */
static void on_completed(void *context, struct MHD_Connection *mhd, void **request_context,
                         enum MHD_RequestTerminationCode why)
{
    struct http_server *server = context;
    struct http_request *request = *request_context;
    struct connection *connection = connection_of(mhd);
    (void)why;
    if (connection != NULL)
        set_deadline(connection, server->options.idle_timeout_ms);
    if (request == NULL)
        return;
    *request_context = NULL;
    arena_fini(&request->arena);
    free(request->body);
    free(request);
    metric_add(&in_hand_now, -1);
    atomic_fetch_sub(&server->in_hand, 1);
}

/*
 * Drops a message. libmicrohttpd reports every client that disconnects, and the metrics count everything that
 * matters.
 */
static void drop_message(void *context, const char *format, va_list arguments)
{
    (void)context;
    (void)format;
    (void)arguments;
}

/* ---- open and close ---- */

static struct MHD_Daemon *start_daemon(struct http_server *server, int fd)
{
    const struct http_options *options = &server->options;
#if MHD_VERSION >= 0x01000000
    const struct MHD_OptionItem strict = {MHD_OPTION_CLIENT_DISCIPLINE_LVL, 1, NULL};
#else
    const struct MHD_OptionItem strict = {MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL};
#endif
    const struct MHD_OptionItem items[] = {
        {MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)drop_message, NULL},
        {MHD_OPTION_LISTEN_SOCKET, fd, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, (intptr_t)options->connections_max, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, NULL},
        strict,
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)http_head_unescape, NULL},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, server},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, server},
        {options->threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, (intptr_t)options->threads,
         NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0,
                            NULL, NULL, on_request, server, MHD_OPTION_ARRAY, items, MHD_OPTION_END);
}

static void register_metrics(void)
{
    metric_register(&in_hand_now);
    metric_register(&connections_now);
    metric_register(&timeouts_total);
    metric_register(&refused_total);
    http_streams_register_metrics();
    http_system_register_metrics();
}

enum status http_open(const struct http_options *options, struct http_server **out, struct error *error)
{
    int fd;
    TRY(listen_on("http-listen", options->listen, &fd, error));
    struct http_server *server = calloc(1, sizeof *server);
    if (server != NULL) {
        server->options = *options;
        server->listener = -1;
        pthread_mutex_init(&server->lock, NULL);
        server->daemon = start_daemon(server, fd); /* closes the socket if it fails */
    }
    if (server == NULL || server->daemon == NULL) {
        free(server);
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "http server: no memory or no thread");
    }
    enum status status = ticker_open(SWEEP_MS, sweep, server, &server->sweeper, error);
    if (status != STATUS_OK) {
        http_close(server);
        return status;
    }
    register_metrics();
    log_event(LOG_INFO, "http.listening", LOG_TEXT("address", options->listen));
    *out = server;
    return STATUS_OK;
}

/* Waits for the requests in flight. Returns false if some are left after that time. */
static bool wait_for_requests(struct http_server *server, uint32_t ms)
{
    const struct timespec look = {.tv_nsec = (long)DRAIN_LOOK_MS * NS_PER_MS};
    int64_t end_ns = clock_monotonic_ns() + (int64_t)ms * NS_PER_MS;
    while (atomic_load(&server->in_hand) > 0) {
        if (clock_monotonic_ns() >= end_ns)
            return false;
        nanosleep(&look, NULL);
    }
    return true;
}

bool http_drain(struct http_server *server, uint32_t grace_ms)
{
    atomic_store(&server->draining, true);
    server->listener = MHD_quiesce_daemon(server->daemon);
    shutdown(server->listener, SHUT_RDWR); /* refuses new clients; the socket is closed once no thread uses
                                            * it */
    return wait_for_requests(server, grace_ms);
}

void http_close(struct http_server *server)
{
    if (server == NULL)
        return;
    (void)wait_for_requests(server, LAST_ANSWERS_MS); /* the last answers have yet to be sent */
    ticker_close(server->sweeper);
    MHD_stop_daemon(server->daemon);
    if (server->listener >= 0)
        close(server->listener);
    pthread_mutex_destroy(&server->lock);
    free(server);
}
