#include "service/ops.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/queue.h"
#include "base/ticker.h"
#include "service/listen.h"
#include "service/metrics_text.h"
#include "service/process_metrics.h"
#include "service/unix_listen.h"

enum { CONNECTION_MEMORY = 16384, LINE_SIZE = 128, SWEEP_MS = 500 };

struct ops_connection {
    struct list_node node;
    int fd;
    int64_t deadline_ns; /* for the next answer to be sent */
};

struct ops_server {
    struct ops_options options;
    struct MHD_Daemon *daemon;
    struct ticker *sweeper;
    const char *socket_path; /* of a unix socket that listens; NULL = none */
    pthread_mutex_t lock;    /* guards the list; while it is held, no descriptor of the list is closed */
    struct list connections; /* struct ops_connection */
};

/* ---- connections ---- */

static int64_t next_deadline_ns(void)
{
    return clock_monotonic_ns() + (int64_t)OPS_REQUEST_S * NS_PER_S;
}

/* Adds a connection. Without memory, the connection would have no deadline, so it is ended. */
static struct ops_connection *add_connection(struct ops_server *ops, int fd)
{
    struct ops_connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) {
        shutdown(fd, SHUT_RDWR);
        return NULL;
    }
    connection->fd = fd;
    connection->deadline_ns = next_deadline_ns();
    pthread_mutex_lock(&ops->lock);
    list_add(&ops->connections, &connection->node);
    pthread_mutex_unlock(&ops->lock);
    return connection;
}

static void remove_connection(struct ops_server *ops, struct ops_connection *connection)
{
    if (connection == NULL)
        return;
    pthread_mutex_lock(&ops->lock);
    list_remove(&connection->node);
    pthread_mutex_unlock(&ops->lock);
    free(connection);
}

static void on_connection(void *context, struct MHD_Connection *mhd, void **connection,
                          enum MHD_ConnectionNotificationCode what)
{
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        *connection = add_connection(
            context, MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd);
    else
        remove_connection(context, *connection);
}

/* Called when an answer was sent, or the connection ends before that. */
static void on_completed(void *context, struct MHD_Connection *mhd, void **head_seen,
                         enum MHD_RequestTerminationCode why)
{
    struct ops_server *ops = context;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct ops_connection *connection = info != NULL ? info->socket_context : NULL;
    (void)head_seen;
    (void)why;
    if (connection == NULL)
        return;
    pthread_mutex_lock(&ops->lock);
    connection->deadline_ns = next_deadline_ns();
    pthread_mutex_unlock(&ops->lock);
}

/*
 * Ends late connections. libmicrohttpd's own timeout begins again with every byte, so clients that send
 * single bytes could take all places forever.
 */
static void sweep(void *context, struct ticker *ticker)
{
    struct ops_server *ops = context;
    int64_t now_ns = clock_monotonic_ns();
    (void)ticker;
    pthread_mutex_lock(&ops->lock);
    LIST_EACH(struct ops_connection, connection, &ops->connections, node)
        if (now_ns > connection->deadline_ns)
            shutdown(connection->fd, SHUT_RDWR);
    pthread_mutex_unlock(&ops->lock);
}

/* ---- answers ---- */

static const char PLAIN[] = "text/plain; charset=utf-8";

/* Sends `response` and takes ownership of it. If `response` is NULL, closes the connection. */
static enum MHD_Result answer(struct MHD_Connection *connection, unsigned code, const char *type,
                              struct MHD_Response *response)
{
    if (response == NULL) {
        log_plain(LOG_ERROR, "ops.out_of_memory");
        return MHD_NO;
    }
    enum MHD_Result result = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (result == MHD_YES && code == MHD_HTTP_METHOD_NOT_ALLOWED)
        result = MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    if (result == MHD_YES)
        result = MHD_queue_response(connection, code, response);
    MHD_destroy_response(response);
    return result;
}

/* Sends a one-line answer. */
static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned code, const char *text)
{
    char line[LINE_SIZE];
    int length = snprintf(line, sizeof line, "%.*s\n", LINE_SIZE - 2, text);
    return answer(connection, code, PLAIN,
                  MHD_create_response_from_buffer((size_t)length, line, MHD_RESPMEM_MUST_COPY));
}

/* Creates the response with all metrics. Returns NULL when out of memory. */
static struct MHD_Response *metrics_response(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return NULL;
    bool complete = metrics_text_write(out) == STATUS_OK && ferror(out) == 0;
    complete = fclose(out) == 0 && complete;
    struct MHD_Response *response =
        complete ? MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE) : NULL;
    if (response == NULL)
        free(text);
    return response;
}

static enum MHD_Result answer_ready(const struct ops_server *ops, struct MHD_Connection *connection)
{
    const char *why_not = ops->options.not_ready(ops->options.context);
    return why_not == NULL ? answer_text(connection, MHD_HTTP_OK, "ready")
                           : answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, why_not);
}

static enum MHD_Result answer_path(const struct ops_server *ops, struct MHD_Connection *connection,
                                   const char *path)
{
    if (strcmp(path, "/metrics") == 0) {
        ops->options.refresh(ops->options.context);
        process_metrics_refresh();
        return answer(connection, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8",
                      metrics_response());
    }
    if (strcmp(path, "/livez") == 0)
        return answer_text(connection, MHD_HTTP_OK, "alive");
    if (strcmp(path, "/readyz") == 0)
        return answer_ready(ops, connection);
    return answer_text(connection, MHD_HTTP_NOT_FOUND, "there are /metrics, /livez and /readyz");
}

/*
 * Handles a request. libmicrohttpd calls this function when the head of the request has arrived, then for
 * each piece of the body, then at the end of the request. An answer directly after the head would close the
 * connection, so only a method that is not allowed is answered at that point.
 */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *body,
                                  size_t *body_size, void **head_seen)
{
    (void)version;
    (void)body;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD");
    if (*head_seen == NULL) {
        *head_seen = context;
        return MHD_YES;
    }
    if (*body_size > 0) {
        *body_size = 0;
        return MHD_YES;
    }
    return answer_path(context, connection, path);
}

/* ---- opening and closing ---- */

static enum status start_listening(struct ops_server *ops, int *fd, struct error *error)
{
    static const char SETTING[] = "ops-listen";
    const char *path = unix_listen_path(ops->options.listen);
    if (path == NULL)
        return listen_on(SETTING, ops->options.listen, fd, error);
    TRY(unix_listen_on(SETTING, path, fd, error));
    ops->socket_path = path;
    return STATUS_OK;
}

static enum status start(struct ops_server *ops, struct error *error)
{
    int fd = -1;
    TRY(start_listening(ops, &fd, error));
    ops->daemon = MHD_start_daemon(MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, on_request,
                                   ops, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
                                   (unsigned)OPS_CONNECTIONS_MAX, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
                                   (unsigned)OPS_CONNECTIONS_PER_ADDRESS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                                   (size_t)CONNECTION_MEMORY, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
                                   ops, MHD_OPTION_NOTIFY_COMPLETED, on_completed, ops, MHD_OPTION_END);
    if (ops->daemon == NULL) /* libmicrohttpd has closed the socket */
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "ops server: no memory or no thread");
    return ticker_open(SWEEP_MS, sweep, ops, &ops->sweeper, error);
}

enum status ops_open(const struct ops_options *options, struct ops_server **out, struct error *error)
{
    if (options->listen[0] == '\0') {
        *out = NULL;
        return STATUS_OK;
    }
    struct ops_server *ops = calloc(1, sizeof *ops);
    if (ops == NULL)
        return error_no_memory(error);
    ops->options = *options;
    pthread_mutex_init(&ops->lock, NULL);
    enum status status = start(ops, error);
    if (status != STATUS_OK) {
        ops_close(ops);
        return status;
    }
    log_event(LOG_INFO, "ops.listening", LOG_TEXT("address", options->listen));
    *out = ops;
    return STATUS_OK;
}

void ops_close(struct ops_server *ops)
{
    if (ops == NULL)
        return;
    ticker_close(ops->sweeper);
    if (ops->socket_path != NULL)
        (void)unlink(ops->socket_path); /* while it listens, so that it is still ours */
    if (ops->daemon != NULL)
        MHD_stop_daemon(ops->daemon); /* also closes the listening socket */
    pthread_mutex_destroy(&ops->lock);
    free(ops);
}
