#include "service/ops.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "service/listen.h"
#include "service/metrics_text.h"
#include "service/process_metrics.h"

enum { CONNECTION_MEMORY = 16384, LINE_SIZE = 128 };

struct ops_server {
    struct ops_options options;
    struct MHD_Daemon *daemon;
};

/* ---- answers ---- */

static const char PLAIN[] = "text/plain; charset=utf-8";

/* Takes ownership of the response. If it is NULL, closes the connection. */
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

/* Answers with one line. */
static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned code, const char *text)
{
    char line[LINE_SIZE];
    int length = snprintf(line, sizeof line, "%.*s\n", LINE_SIZE - 2, text);
    return answer(connection, code, PLAIN,
                  MHD_create_response_from_buffer((size_t)length, line, MHD_RESPMEM_MUST_COPY));
}

/* Makes the response with all metrics. Returns NULL when out of memory. */
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
 * Handles a request. libmicrohttpd calls this when the head of a request has arrived, then for each piece of
 * a body, then at its end. An answer right after the head would close the connection, which is acceptable
 * only for methods that are not allowed.
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

/* ---- open and close ---- */

enum status ops_open(const struct ops_options *options, struct ops_server **out, struct error *error)
{
    if (options->listen[0] == '\0') {
        *out = NULL;
        return STATUS_OK;
    }
    int fd = -1;
    TRY(listen_on("ops-listen", options->listen, &fd, error));
    struct ops_server *ops = calloc(1, sizeof *ops);
    if (ops != NULL) {
        ops->options = *options;
        ops->daemon = MHD_start_daemon(
            MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, on_request, ops,
            MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)OPS_CONNECTIONS_MAX,
            MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)OPS_IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
            (size_t)CONNECTION_MEMORY, MHD_OPTION_END);
    }
    if (ops == NULL || ops->daemon == NULL) {
        if (ops == NULL)
            close(fd); /* otherwise libmicrohttpd has closed it */
        free(ops);
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "ops server: no memory or no thread");
    }
    log_event(LOG_INFO, "ops.listening", LOG_TEXT("address", options->listen));
    *out = ops;
    return STATUS_OK;
}

void ops_close(struct ops_server *ops)
{
    if (ops != NULL) {
        MHD_stop_daemon(ops->daemon); /* also closes the listening socket */
        free(ops);
    }
}
