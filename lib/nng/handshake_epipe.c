/*
 * The sendmsg that nng calls in our programs.
 *
 * It avoids a defect of nng 1.5.2 (fixed in 1.6.0). If the peer closes the connection before the handshake is
 * written, nng mistakes EPIPE for its own close. The listener never accepts again, and the dialer never dials
 * again, so a client that connects and leaves could shut out all others. If sendmsg reports ECONNRESET
 * instead, nng goes on.
 *
 * A function defined in the program takes precedence over the C library's, for calls from nng's library too.
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* CMakeLists.txt links this file by this symbol, because sendmsg alone would be resolved from elsewhere. */
extern const char nng_handshake_epipe;
const char nng_handshake_epipe = 0;

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    ssize_t sent = syscall(SYS_sendmsg, fd, message, flags);
    if (sent < 0 && errno == EPIPE)
        errno = ECONNRESET;
    return sent;
}
