/*
 * The sendmsg that nng calls in our programs.
 *
 * nng 1.5.2 (mended later) takes EPIPE for a close of its own: a listener whose client has gone before the
 * handshake is written never accepts again, and a dialer never dials again. Whoever connects and leaves could
 * shut everybody else out. Told that the connection was reset, nng goes on.
 *
 * A function of the program goes before the C library's, for nng's library too.
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* By this name CMakeLists.txt has the file linked: sendmsg itself is found elsewhere first. */
extern const char rpc_closed_peer;
const char rpc_closed_peer = 0;

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    ssize_t sent = syscall(SYS_sendmsg, fd, message, flags);
    if (sent < 0 && errno == EPIPE) {
        errno = ECONNRESET;
    }
    return sent;
}
