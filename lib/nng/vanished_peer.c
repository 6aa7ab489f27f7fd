/*
 * Defines the setsockopt that nng calls in our programs.
 *
 * A connection whose peer's machine has vanished stays open. Only TCP's keepalive probes detect that on a
 * connection on which this side never sends, such as that of a subscriber. nng can switch the probes on, but
 * it cannot set their times, and by the kernel's default the first one is sent after 2 hours. So this
 * setsockopt also sets the times. When the probes stay unanswered, the kernel ends the connection, and nng
 * reads an error, as if the peer had closed it.
 *
 * A function defined in the program takes precedence over the C library's, even for calls from nng's library.
 * Other libraries that switch the probes on, such as libpq, set their own times afterwards.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A peer that vanishes is noticed after 25 s. */
enum { IDLE_S = 10, INTERVAL_S = 5, PROBES = 3 };

/*
 * CMakeLists.txt uses this symbol to link this file, because setsockopt alone would be linked from the C
 * library.
 */
extern const char nng_vanished_peer;
const char nng_vanished_peer = 0;

static int set(int fd, int level, int option, const void *value, socklen_t size)
{
    return (int)syscall(SYS_setsockopt, fd, level, option, value, size);
}

/* A failure is harmless: the kernel then uses its default. */
static void set_time(int fd, int option, int value)
{
    (void)set(fd, IPPROTO_TCP, option, &value, sizeof value);
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t size)
{
    int result = set(fd, level, option, value, size);
    if (result == 0 && level == SOL_SOCKET && option == SO_KEEPALIVE && *(const int *)value != 0) {
        set_time(fd, TCP_KEEPIDLE, IDLE_S);
        set_time(fd, TCP_KEEPINTVL, INTERVAL_S);
        set_time(fd, TCP_KEEPCNT, PROBES);
    }
    return result;
}
