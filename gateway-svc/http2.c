/* The server: its listening socket, its threads, and its end. */
#include "http2_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/listen.h"
#include "service/unix_listen.h"

enum {
    EVENTS = 64,
    SWEEP_MS = 500,
    DRAIN_SWEEP_MS = 50,
    LAST_ANSWERS_MS = 1000,
    LAST_BYTES_MS = 1000,
    LOOK_MS = 10
};

static _Thread_local struct http2_thread *own_thread;

/* ---- posting ---- */

static void wake(const struct http2_thread *thread)
{
    const uint64_t one = 1;
    ssize_t written = write(thread->wake, &one, sizeof one); /* fails only if a wake is pending */
    (void)written;
}

void http2_post(struct http_request *request)
{
    struct http2_thread *thread = request->thread; /* both may be freed after the unlock */
    pthread_mutex_lock(&thread->lock);
    bool first = thread->posted.first == NULL;
    if (!request->posted) {
        request->posted = true;
        queue_put(&thread->posted, &request->posted_node);
    }
    if (first && own_thread != thread)
        wake(thread);
    pthread_mutex_unlock(&thread->lock);
}

static void take_posted(struct http2_thread *thread)
{
    for (;;) {
        pthread_mutex_lock(&thread->lock);
        struct http_request *request =
            container_of(queue_take(&thread->posted), struct http_request, posted_node);
        if (request != NULL)
            request->posted = false;
        pthread_mutex_unlock(&thread->lock);
        if (request == NULL)
            return;
        http2_request_take(request);
    }
}

/* ---- connections ---- */

static void flush_dirty(struct http2_thread *thread)
{
    struct queue_node *node;
    while ((node = queue_take(&thread->dirty)) != NULL) {
        struct http2_connection *connection = container_of(node, struct http2_connection, dirty_node);
        connection->dirty = false;
        http2_connection_flush(connection);
    }
}

/* Starts or stops watching the listening socket. */
static void set_listening(struct http2_thread *thread, bool listening)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.ptr = thread};
    if (thread->listening != listening && epoll_ctl(thread->epoll, listening ? EPOLL_CTL_ADD : EPOLL_CTL_DEL,
                                                    thread->server->listener, &event) == 0)
        thread->listening = listening;
}

/* Accepts one connection. Returns false if there is none, or no room for it. */
static bool accept_one(struct http2_thread *thread)
{
    struct http_server *server = thread->server;
    struct sockaddr_storage peer = {.ss_family = AF_UNIX};
    socklen_t size = sizeof peer;
    if (atomic_fetch_add(&server->connection_count, 1) < server->options.connections_max) {
        int fd = accept4(server->listener, (struct sockaddr *)&peer, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            http2_connection_begin(thread, fd, (const struct sockaddr *)&peer);
            return true;
        }
        if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
            set_listening(thread, false); /* for lack of descriptors; the next sweep tries again */
    } else {
        set_listening(thread, false);
    }
    atomic_fetch_sub(&server->connection_count, 1);
    return false;
}

/* ---- threads ---- */

static void sweep(struct http2_thread *thread)
{
    struct http_server *server = thread->server;
    bool draining = atomic_load(&server->draining);
    int64_t now_ns = clock_monotonic_ns();
    thread->drains = draining;
    set_listening(thread,
                  !draining && atomic_load(&server->connection_count) < server->options.connections_max);
    LIST_EACH(struct http2_connection, connection, &thread->connections, node)
        http2_connection_sweep(connection, now_ns, draining);
    thread->sweep_ns = http2_after_ms(draining ? DRAIN_SWEEP_MS : SWEEP_MS);
}

static void wait_for_events(struct http2_thread *thread)
{
    struct epoll_event events[EVENTS];
    int64_t now_ns = clock_monotonic_ns();
    int ms = now_ns < thread->sweep_ns ? (int)((thread->sweep_ns - now_ns) / NS_PER_MS) + 1 : 0;
    int count = epoll_wait(thread->epoll, events, EVENTS, ms);
    for (int i = 0; i < count; i++) {
        void *of = events[i].data.ptr;
        uint64_t wakes;
        if (of == &thread->wake) {
            ssize_t size = read(thread->wake, &wakes, sizeof wakes);
            (void)size;
        } else if (of == thread) {
            for (int n = 0; n < EVENTS && thread->listening && accept_one(thread); n++)
                ;
        } else {
            http2_connection_receive(of, events[i].events);
        }
    }
}

static void *run(void *context)
{
    struct http2_thread *thread = context;
    struct http_server *server = thread->server;
    own_thread = thread;
    while (!atomic_load(&server->stopping)) {
        wait_for_events(thread);
        take_posted(thread);
        if (clock_monotonic_ns() >= thread->sweep_ns || (atomic_load(&server->draining) && !thread->drains))
            sweep(thread);
        flush_dirty(thread);
    }
    LIST_EACH(struct http2_connection, connection, &thread->connections, node) {
        connection->broken = true;
        http2_mark_dirty(connection);
    }
    flush_dirty(thread);
    take_posted(thread);
    return NULL;
}

static bool start_thread(struct http2_thread *thread, struct http_server *server)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &thread->wake};
    thread->server = server;
    thread->epoll = epoll_create1(EPOLL_CLOEXEC);
    thread->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&thread->lock, NULL);
    if (thread->epoll >= 0 && thread->wake >= 0 &&
        epoll_ctl(thread->epoll, EPOLL_CTL_ADD, thread->wake, &event) == 0 &&
        pthread_create(&thread->thread, NULL, run, thread) == 0)
        return true;
    close(thread->epoll);
    close(thread->wake);
    pthread_mutex_destroy(&thread->lock);
    return false;
}

/* ---- open and close ---- */

static enum status listen_somewhere(const struct http_options *options, struct http_server *server,
                                    struct error *error)
{
    static const char SETTING[] = "http-listen";
    const char *path = unix_listen_path(options->listen);
    if (path == NULL)
        return listen_on(SETTING, options->listen, &server->listener, error);
    TRY(unix_listen_on(SETTING, path, &server->listener, error));
    server->unix_path = path;
    return STATUS_OK;
}

enum status http_open(const struct http_options *options, struct http_server **out, struct error *error)
{
    struct http_server *server = calloc(1, sizeof *server);
    if (server == NULL)
        return error_no_memory(error);
    server->options = *options;
    enum status status = listen_somewhere(options, server, error);
    if (status != STATUS_OK) {
        free(server);
        return status;
    }
    server->threads = calloc(options->threads, sizeof *server->threads);
    bool started = server->threads != NULL && http2_callbacks_create(server);
    while (started && server->thread_count < options->threads) {
        started = start_thread(&server->threads[server->thread_count], server);
        server->thread_count += started;
    }
    if (!started) {
        http_close(server);
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "http2 server: no memory or no thread");
    }
    http_register_metrics();
    log_event(LOG_INFO, "http.listening", LOG_TEXT("address", options->listen));
    *out = server;
    return STATUS_OK;
}

static void wake_all(const struct http_server *server)
{
    for (unsigned i = 0; i < server->thread_count; i++)
        wake(&server->threads[i]);
}

/*
 * Waits until no request is in flight, and then a moment for the connections to end, during which clients may
 * still begin requests. Returns false if requests are left after `ms`.
 */
static bool wait_for_requests(struct http_server *server, uint32_t ms)
{
    const struct timespec look = {.tv_nsec = (long)LOOK_MS * NS_PER_MS};
    int64_t end_ns = http2_after_ms(ms), last_ns = http2_after_ms(LAST_BYTES_MS);
    for (int64_t now_ns; (now_ns = clock_monotonic_ns()) < end_ns; nanosleep(&look, NULL))
        if (atomic_load(&server->in_flight) > 0)
            last_ns = http2_after_ms(LAST_BYTES_MS);
        else if (atomic_load(&server->connection_count) == 0 || now_ns >= last_ns)
            break;
    return atomic_load(&server->in_flight) == 0;
}

/* Closes the connections that no thread has accepted yet. The system does so only for TCP. */
static void close_waiting(const struct http_server *server)
{
    int fd;
    while ((fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
        close(fd);
}

/*
 * Refuses new clients. The socket is unlinked before it is shut down: after that, a new process may have
 * bound a socket of its own to the path.
 */
static void stop_listening(struct http_server *server)
{
    if (atomic_exchange(&server->draining, true))
        return;
    if (server->unix_path != NULL)
        (void)unlink(server->unix_path);
    shutdown(server->listener, SHUT_RDWR);
    close_waiting(server);
    wake_all(server);
}

bool http_drain(struct http_server *server, uint32_t grace_ms)
{
    stop_listening(server);
    return wait_for_requests(server, grace_ms);
}

void http_close(struct http_server *server)
{
    if (server == NULL)
        return;
    stop_listening(server);
    (void)wait_for_requests(server, LAST_ANSWERS_MS);
    atomic_store(&server->stopping, true);
    wake_all(server);
    for (unsigned i = 0; i < server->thread_count; i++)
        pthread_join(server->threads[i].thread, NULL);
    for (unsigned i = 0; i < server->thread_count; i++) {
        struct http2_thread *thread = &server->threads[i];
        close(thread->epoll);
        close(thread->wake);
        pthread_mutex_destroy(&thread->lock);
    }
    close(server->listener);
    nghttp2_session_callbacks_del(server->callbacks);
    nghttp2_option_del(server->option);
    free(server->threads);
    free(server);
}
