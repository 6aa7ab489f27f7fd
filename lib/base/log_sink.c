/*
 * A pipe or terminal that no process reads fills up sooner or later, and then a write to it blocks forever.
 * O_NONBLOCK prevents that, but it is a property of the open file description, which we share with the
 * process that started us. A shell or another program would then get an unexpected EAGAIN. So we reopen pipes
 * and terminals through /proc, which creates a separate description. Where that is not allowed, we use poll
 * to check whether the line fits. No other thread writes at the same time, so only another process that
 * shares the pipe could fill it between poll and write. A socket cannot be reopened, but each call of send
 * can pass the flag MSG_DONTWAIT.
 *
 * Everything else, in particular a file, is written to directly.
 */
#include "base/log_sink.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static_assert((int)LOG_LINE_MAX <= PIPE_BUF, "a line must be written to a pipe in one piece");

enum sink_kind { SINK_FILE, SINK_WAITING /* a pipe or terminal, not reopened */, SINK_OWN, SINK_SOCKET };

/* File descriptor 2 as last inspected. */
struct sink {
    bool known;
    dev_t device;
    ino_t inode;
    enum sink_kind kind;
    int own;   /* SINK_OWN: our descriptor, otherwise -1 */
    bool torn; /* whether the last line was cut off */
};
static struct sink shared = {.own = -1};

/*
 * Opens our own descriptor. This may fail now and succeed later, for example for a FIFO that has no reader
 * yet.
 */
static void open_own(struct sink *sink)
{
    sink->own = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (sink->own >= 0)
        sink->kind = SINK_OWN;
}

static enum sink_kind kind_of(const struct stat *status)
{
    if (S_ISSOCK(status->st_mode))
        return SINK_SOCKET;
    if (S_ISFIFO(status->st_mode) || (S_ISCHR(status->st_mode) && isatty(STDERR_FILENO) != 0))
        return SINK_WAITING;
    return SINK_FILE;
}

/* Inspects file descriptor 2 again if it now refers to something different. */
static void look(struct sink *sink)
{
    struct stat status;
    if (fstat(STDERR_FILENO, &status) != 0)
        status = (struct stat){.st_mode = S_IFREG}; /* treat it as a file, so that write reports the error */
    if (!sink->known || sink->device != status.st_dev || sink->inode != status.st_ino) {
        if (sink->own >= 0)
            (void)close(sink->own);
        sink->known = true;
        sink->device = status.st_dev;
        sink->inode = status.st_ino;
        sink->kind = kind_of(&status);
        sink->own = -1;
        sink->torn = false;
    }
    if (sink->kind == SINK_WAITING)
        open_own(sink);
}

static bool has_room(int wait_ms)
{
    struct pollfd wanted = {.fd = STDERR_FILENO, .events = POLLOUT};
    return poll(&wanted, 1, wait_ms) == 1 && (wanted.revents & POLLOUT) != 0;
}

static ssize_t write_once(const struct sink *sink, const char *bytes, size_t size)
{
    switch (sink->kind) {
    case SINK_OWN:
        return write(sink->own, bytes, size);
    case SINK_SOCKET:
        return send(STDERR_FILENO, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    case SINK_WAITING:
        return has_room(0) ? write(STDERR_FILENO, bytes, size) : -1;
    case SINK_FILE:
    default:
        return write(STDERR_FILENO, bytes, size);
    }
}

static ssize_t write_now(const struct sink *sink, const char *bytes, size_t size)
{
    ssize_t written;
    do {
        errno = 0;
        written = write_once(sink, bytes, size);
    } while (written < 0 && errno == EINTR);
    return written;
}

bool log_sink_write(const char *line, size_t size)
{
    struct sink *sink = &shared;
    look(sink);
    if (sink->torn) {
        if (write_now(sink, "\n", 1) != 1)
            return false;
        sink->torn = false;
    }
    ssize_t written = write_now(sink, line, size);
    sink->torn = written > 0 && written < (ssize_t)size;
    return written == (ssize_t)size;
}

bool log_sink_write_last(const char *line, size_t size, int wait_ms)
{
    struct sink sink = {.own = -1}; /* its descriptor is closed when the process ends */
    look(&sink);
    (void)(sink.kind == SINK_FILE || has_room(wait_ms));
    return write_now(&sink, line, size) == (ssize_t)size;
}
