#include "played_socket_testing.h"

#include <errno.h>
#include <semaphore.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/clock.h"

enum { PLAYED_FD = 1 << 20, TURNS_MAX = 200000 };

enum client_state { AWAY, CONNECTING, CONNECTED, HUNG_UP, RESET };

/* What the server has asked epoll for. */
struct watched {
    bool on;
    uint32_t events;
    epoll_data_t data;
};

/* One side at a time uses this: the server's thread, or the fuzzer's, which hand over by the semaphores. */
static struct {
    sem_t go, waits;
    const struct played_client *client;
    enum client_state state;
    bool open; /* whether the server has the socket */
    struct watched socket, listener;
    int listener_fd;
    const uint8_t *input;
    size_t input_size;
    size_t room;     /* what the client takes now */
    bool time_is_up; /* epoll_wait returns without events once */
    size_t turns;    /* returns of epoll_wait since the fuzzer's thread last ran */
    int64_t now_ns;
} played = {.listener_fd = -1, .now_ns = NS_PER_S};

int __real_epoll_wait(int epoll, struct epoll_event *events, int max, int timeout_ms);
int __real_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event);
int __real_listen(int fd, int backlog);
int __real_accept4(int fd, struct sockaddr *peer, socklen_t *size, int flags);
int __real_close(int fd);
int __real_shutdown(int fd, int how);
ssize_t __real_recv(int fd, void *bytes, size_t size, int flags);
ssize_t __real_send(int fd, const void *bytes, size_t size, int flags);
int __wrap_epoll_wait(int epoll, struct epoll_event *events, int max, int timeout_ms);
int __wrap_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event);
int __wrap_listen(int fd, int backlog);
int __wrap_accept4(int fd, struct sockaddr *peer, socklen_t *size, int flags);
int __wrap_close(int fd);
int __wrap_shutdown(int fd, int how);
ssize_t __wrap_recv(int fd, void *bytes, size_t size, int flags);
ssize_t __wrap_send(int fd, const void *bytes, size_t size, int flags);
int64_t __wrap_clock_monotonic_ns(void);

/* ---- the server's side ---- */

static uint32_t ready_events(void)
{
    uint32_t ready = 0;
    if (played.input_size > 0 || played.state == HUNG_UP)
        ready |= EPOLLIN;
    if (played.state == RESET)
        ready |= EPOLLIN | EPOLLERR | EPOLLHUP;
    if (played.room > 0)
        ready |= EPOLLOUT;
    return ready & (played.socket.events | EPOLLERR | EPOLLHUP);
}

/* The events of the played socket come after those of the real descriptors, of which the server has few. */
int __wrap_epoll_wait(int epoll, struct epoll_event *events, int max, int timeout_ms)
{
    (void)timeout_ms;
    CHECK(max > 2);
    for (;;) {
        int count = __real_epoll_wait(epoll, events, max - 2, 0);
        count = count > 0 ? count : 0;
        if (played.listener.on && played.state == CONNECTING)
            events[count++] = (struct epoll_event){.events = EPOLLIN, .data = played.listener.data};
        if (played.socket.on && ready_events() != 0)
            events[count++] = (struct epoll_event){.events = ready_events(), .data = played.socket.data};
        if (count > 0 || played.time_is_up) {
            played.time_is_up = false;
            played.turns++;
            CHECK(played.turns < TURNS_MAX);
            return count;
        }
        sem_post(&played.waits);
        while (sem_wait(&played.go) != 0)
            ;
        played.turns = 0;
    }
}

int __wrap_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    struct watched *watched = fd == PLAYED_FD ? &played.socket : &played.listener;
    if (fd != PLAYED_FD && fd != played.listener_fd)
        return __real_epoll_ctl(epoll, operation, fd, event);
    CHECK(watched->on == (operation != EPOLL_CTL_ADD));
    *watched =
        (struct watched){.on = operation != EPOLL_CTL_DEL, .events = event->events, .data = event->data};
    return 0;
}

int __wrap_listen(int fd, int backlog)
{
    played.listener_fd = fd;
    return __real_listen(fd, backlog);
}

int __wrap_accept4(int fd, struct sockaddr *peer, socklen_t *size, int flags)
{
    if (fd != played.listener_fd)
        return __real_accept4(fd, peer, size, flags);
    if (played.state != CONNECTING) {
        errno = EAGAIN;
        return -1;
    }
    peer->sa_family = AF_UNIX;
    *size = sizeof peer->sa_family;
    played.state = CONNECTED;
    played.open = true;
    return PLAYED_FD;
}

int __wrap_close(int fd)
{
    if (fd != PLAYED_FD)
        return __real_close(fd);
    CHECK(played.open);
    played.open = played.socket.on = false;
    return 0;
}

int __wrap_shutdown(int fd, int how)
{
    CHECK(fd != PLAYED_FD || played.open);
    return fd == PLAYED_FD ? 0 : __real_shutdown(fd, how);
}

static ssize_t fail(int cause)
{
    errno = cause;
    return -1;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

ssize_t __wrap_recv(int fd, void *bytes, size_t size, int flags)
{
    if (fd != PLAYED_FD)
        return __real_recv(fd, bytes, size, flags);
    CHECK(played.open && size > 0);
    if (played.state == RESET)
        return fail(ECONNRESET);
    size_t taken = smaller(size, played.input_size);
    if (played.client->piece > 0)
        taken = smaller(taken, played.client->piece);
    if (taken == 0)
        return played.state == HUNG_UP ? 0 : fail(EAGAIN);
    memcpy(bytes, played.input, taken);
    played.input += taken;
    played.input_size -= taken;
    return (ssize_t)taken;
}

ssize_t __wrap_send(int fd, const void *bytes, size_t size, int flags)
{
    if (fd != PLAYED_FD)
        return __real_send(fd, bytes, size, flags);
    CHECK(played.open && size > 0);
    if (played.state != CONNECTED)
        return fail(EPIPE);
    size_t taken = smaller(size, played.room);
    if (taken == 0)
        return fail(EAGAIN);
    played.room -= taken;
    played.client->receive(played.client->context, bytes, taken);
    return (ssize_t)taken;
}

int64_t __wrap_clock_monotonic_ns(void)
{
    return played.now_ns;
}

/* ---- the client's side ---- */

void played_settle(void)
{
    size_t step = played.client->room;
    for (;;) {
        sem_post(&played.go);
        while (sem_wait(&played.waits) != 0)
            ;
        bool is_full = played.open && played.room == 0 && (played.socket.events & EPOLLOUT) != 0;
        if (!is_full || played.client->stalls || played.state != CONNECTED)
            return;
        played.room = step; /* the client reads, and more each time */
        step *= 2;
    }
}

void played_socket_begin(void)
{
    while (sem_wait(&played.waits) != 0)
        ;
    CHECK(played.listener_fd >= 0);
}

void played_connect(const struct played_client *client)
{
    CHECK(!played.open);
    played.client = client;
    played.state = CONNECTING;
    played.input_size = 0;
    played.room = client->room > 0 ? client->room : SIZE_MAX;
    played_pass_time(MS_PER_S);
    CHECK(played.state == CONNECTED);
}

void played_send(const uint8_t *bytes, size_t size)
{
    if (!played.open)
        return;
    played.input = bytes;
    played.input_size = size;
    played_settle();
    CHECK(!played.open || played.input_size == 0);
}

void played_pass_time(uint32_t ms)
{
    played.now_ns += (int64_t)ms * NS_PER_MS;
    played.time_is_up = true;
    played_settle();
}

bool played_is_closed(void)
{
    return !played.open;
}

void played_disconnect(bool reset)
{
    played.input_size = 0;
    played.state = reset ? RESET : HUNG_UP;
    played_settle();
    CHECK(!played.open);
    played.state = AWAY;
}
