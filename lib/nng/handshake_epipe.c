/*
 * Defines the sendmsg that nng calls in our programs.
 *
 * It avoids a defect of nng 1.5.2 (fixed in 1.6.0). If the peer closes the connection before the handshake is
 * written, nng mistakes EPIPE for its own close. Then the listener never accepts again, and the dialer never
 * dials again, so a client that connects and leaves could lock out all other clients. If sendmsg reports
 * ECONNRESET instead, nng keeps working.
 *
 * A function defined in the program takes precedence over the C library's, even for calls from nng's library.
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * CMakeLists.txt uses this symbol to link this file, because sendmsg alone would be linked from the C
 * library.
 */
extern const char nng_handshake_epipe;
const char nng_handshake_epipe = 0;

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    ssize_t sent = syscall(SYS_sendmsg, fd, message, flags);
    if (sent < 0 && errno == EPIPE)
        errno = ECONNRESET;
    return sent;
}
