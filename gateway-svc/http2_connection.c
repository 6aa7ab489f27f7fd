/* A connection: what it sends and receives, its deadlines, and its end. */
#include "http2_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"

enum { LINGER_MS = 1000 };

static const int64_t STALLED_NS = INT64_C(2) * NS_PER_S;

/* ---- sending ---- */

void http2_mark_dirty(struct http2_connection *connection)
{
    if (!connection->dirty) {
        connection->dirty = true;
        queue_put(&connection->thread->dirty, &connection->dirty_node);
    }
}

int64_t http2_after_ms(uint32_t ms)
{
    return clock_monotonic_ns() + (int64_t)ms * NS_PER_MS;
}

static void watch(struct http2_connection *connection, bool writable)
{
    struct epoll_event event = {.events = EPOLLIN | (writable ? EPOLLOUT : 0), .data.ptr = connection};
    if (epoll_ctl(connection->thread->epoll, EPOLL_CTL_MOD, connection->fd, &event) != 0)
        connection->broken = true;
}

/* Frees a connection, or keeps it if its session cannot be freed. */
static void free_connection(struct http2_connection *connection)
{
    static _Atomic(struct http2_connection *) lost;
    if (!connection->out_of_memory) {
        free(connection);
        return;
    }
    log_plain(LOG_ERROR, "http.out_of_memory");
    connection->next_lost = atomic_exchange(&lost, connection);
}

/* Closes a connection, which must not be dirty. */
static void end_connection(struct http2_connection *connection)
{
    CHECK(!connection->dirty);
    http2_session_end(connection);
    list_remove(&connection->node);
    close(connection->fd);
    free(connection->pending);
    metric_add(&http_connections_now, -1);
    atomic_fetch_sub(&connection->thread->server->connection_count, 1);
    free_connection(connection);
}

/* Returns the number of bytes that the socket takes now. */
static size_t send_some(struct http2_connection *connection, const unsigned char *bytes, size_t size)
{
    ssize_t sent = send(connection->fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    connection->broken |= sent < 0 && errno != EAGAIN && errno != EINTR;
    if (sent >= 0)
        connection->pending_ns = http2_after_ms(connection->thread->server->options.idle_timeout_ms);
    return sent > 0 ? (size_t)sent : 0;
}

/* Sends the rest of an earlier send. Returns false if the connection has failed or bytes remain. */
static bool send_pending(struct http2_connection *connection)
{
    if (connection->pending == NULL)
        return true;
    connection->pending_sent += send_some(connection, connection->pending + connection->pending_sent,
                                          connection->pending_size - connection->pending_sent);
    if (connection->pending_sent < connection->pending_size)
        return false;
    free(connection->pending);
    connection->pending = NULL;
    watch(connection, false);
    return true;
}

/* Sends bytes, and keeps what the socket does not take. Returns false like send_pending. */
static bool send_bytes(struct http2_connection *connection, const unsigned char *bytes, size_t size)
{
    size_t taken = send_some(connection, bytes, size);
    if (taken == size || connection->broken)
        return !connection->broken;
    connection->pending = malloc(size - taken);
    if (connection->pending == NULL) {
        connection->broken = true;
        return false;
    }
    memcpy(connection->pending, bytes + taken, size - taken);
    connection->pending_size = size - taken;
    connection->pending_sent = 0;
    connection->pending_ns = http2_after_ms(connection->thread->server->options.idle_timeout_ms);
    watch(connection, true);
    return false;
}

/* Collects frames in the thread's buffer, because libnghttp2 gives one at a time. Returns their size. */
static size_t gather(struct http2_connection *connection)
{
    unsigned char *out = connection->thread->out;
    size_t used = 0;
    while (used + HTTP2_FRAME_ROOM <= HTTP2_BUFFER) {
        const uint8_t *bytes;
        ssize_t size = nghttp2_session_mem_send(connection->session, &bytes);
        if (size < 0 || (size_t)size > HTTP2_BUFFER - used)
            connection->broken = true;
        if (size <= 0 || connection->broken)
            break;
        memcpy(out + used, bytes, (size_t)size);
        used += (size_t)size;
    }
    return used;
}

/*
 * Ends a connection that has sent everything. It is closed once the client has closed it, or after a while:
 * the system drops bytes that it has not sent yet if a socket is closed before the client's last ones came.
 */
static bool linger(struct http2_connection *connection)
{
    http2_session_end(connection);
    connection->session = NULL;
    connection->lingers = true;
    connection->linger_ns = http2_after_ms(LINGER_MS);
    return shutdown(connection->fd, SHUT_WR) == 0;
}

/* Sends what the session has, until the socket is full. Returns false if the connection must be closed. */
static bool flush(struct http2_connection *connection)
{
    if (connection->lingers)
        return !connection->broken;
    bool taken = !connection->broken && send_pending(connection);
    while (taken && !connection->broken) {
        size_t size = gather(connection);
        if (size == 0)
            break;
        taken = send_bytes(connection, connection->thread->out, size);
    }
    if (connection->broken)
        return false;
    return connection->pending != NULL || nghttp2_session_want_read(connection->session) ||
           nghttp2_session_want_write(connection->session) || linger(connection);
}

void http2_connection_flush(struct http2_connection *connection)
{
    if (!flush(connection))
        end_connection(connection);
}

/* ---- receiving ---- */

/*
 * Receives once, at most HTTP2_BUFFER bytes, so that a client that always has more to send waits for its turn
 * like the others. libnghttp2 still reads while `pending` waits: a proxy may not read either until we do.
 */
void http2_connection_receive(struct http2_connection *connection, uint32_t events)
{
    struct http2_thread *thread = connection->thread;
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        ssize_t size = recv(connection->fd, thread->in, sizeof thread->in, MSG_DONTWAIT);
        if (size > 0 ? !connection->lingers && !http2_session_receive(connection, thread->in, (size_t)size)
                     : size == 0 || (errno != EAGAIN && errno != EINTR))
            connection->broken = true;
    }
    http2_mark_dirty(connection);
}

void http2_connection_begin(struct http2_thread *thread, int fd, const struct sockaddr *peer)
{
    const int on = 1;
    struct http2_connection *connection = calloc(1, sizeof *connection);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (connection != NULL) {
        connection->thread = thread;
        connection->fd = fd;
        connection->idle_ns = http2_after_ms(thread->server->options.idle_timeout_ms);
        if (peer->sa_family != AF_UNIX) {
            (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            if (!client_address_format(peer, connection->client))
                connection->client[0] = '\0';
        }
    }
    if (connection == NULL || !http2_session_begin(connection)) {
        close(fd);
        atomic_fetch_sub(&thread->server->connection_count, 1);
        if (connection != NULL)
            free_connection(connection);
        return;
    }
    list_add(&thread->connections, &connection->node);
    metric_add(&http_connections_now, 1);
    connection->broken = epoll_ctl(thread->epoll, EPOLL_CTL_ADD, fd, &event) != 0;
    http2_mark_dirty(connection); /* the session begins with SETTINGS */
}

/* ---- deadlines ---- */

static bool has_passed(int64_t deadline_ns, int64_t now_ns)
{
    return deadline_ns != HTTP2_NO_DEADLINE && now_ns > deadline_ns;
}

/*
 * Returns whether the client hardly reads an answer while half of the budget of answers is held, a good part
 * of it by this client. The share of every other client is then small.
 */
static bool is_stalled(const struct http_request *request, int64_t now_ns)
{
    return request->answered && request->stream == NULL && request->sent < request->answer.body_size &&
           now_ns - request->moved_ns > STALLED_NS && http2_holds_much(request, HTTP2_ANSWERS) &&
           atomic_load(&request->thread->server->held[HTTP2_ANSWERS].all) > HTTP2_BUDGET_BYTES / 2;
}

/* Resets late requests. Returns false if the head of one is incomplete; the connection must then close. */
static bool end_late_requests(struct http2_connection *connection, int64_t now_ns)
{
    struct list_node *next;
    for (struct list_node *node = connection->requests.first; node != NULL && !connection->broken;
         node = next) {
        struct http_request *request = container_of(node, struct http_request, node);
        next = node->next;
        if (!has_passed(request->deadline_ns, now_ns) && !is_stalled(request, now_ns))
            continue;
        metric_add(&http_timeouts_total, 1);
        if (!request->head_done)
            return false;
        request->deadline_ns = HTTP2_NO_DEADLINE;
        http2_request_abandon(request, NGHTTP2_CANCEL);
    }
    return true;
}

/* Sends one of two GOAWAYs. The first announces the end; the second names the last request to be served. */
static void say_goodbye(struct http2_connection *connection)
{
    nghttp2_session *session = connection->session;
    int failed = 0;
    if (!connection->noticed) {
        failed = nghttp2_submit_shutdown_notice(session);
        connection->noticed = true;
    } else if (!connection->gone) {
        failed = nghttp2_submit_goaway(session, NGHTTP2_FLAG_NONE,
                                       nghttp2_session_get_last_proc_stream_id(session), NGHTTP2_NO_ERROR,
                                       NULL, 0);
        connection->gone = true;
    }
    connection->broken |= failed != 0;
    http2_mark_dirty(connection);
}

void http2_connection_sweep(struct http2_connection *connection, int64_t now_ns, bool draining)
{
    if (connection->broken)
        return; /* the connection is dirty and will be closed */
    if (connection->lingers) {
        if (has_passed(connection->linger_ns, now_ns)) {
            connection->broken = true;
            http2_mark_dirty(connection);
        }
        return;
    }
    bool is_stuck = connection->pending != NULL && has_passed(connection->pending_ns, now_ns);
    if (is_stuck || !end_late_requests(connection, now_ns)) {
        metric_add(&http_timeouts_total, is_stuck);
        connection->broken = true;
        http2_mark_dirty(connection);
    } else if (connection->request_count == 0 && has_passed(connection->idle_ns, now_ns)) {
        metric_add(&http_timeouts_total, 1);
        connection->idle_ns = HTTP2_NO_DEADLINE;
        connection->broken |= nghttp2_session_terminate_session(connection->session, NGHTTP2_NO_ERROR) != 0;
        http2_mark_dirty(connection);
    }
    if (draining && !connection->broken)
        say_goodbye(connection);
}
