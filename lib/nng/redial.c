#include "nng/redial.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"

/* Returns whether the peer may be on another machine, which may vanish (vanished_peer.c). */
static bool has_keepalive(const char *address)
{
    return strncmp(address, "tcp://", strlen("tcp://")) == 0 || tls_is_address(address);
}

int redial_start(struct redial *redial, nng_socket socket, const char *address, const struct tls_dialing *tls,
                 int flags)
{
    redial->socket = socket;
    redial->address = address;
    redial->tls = tls;
    redial->alone_ns = 0;
    int rv = nng_dialer_create(&redial->dialer, socket, address);
    if (rv != 0)
        return rv;
    atomic_store(&redial->dialer_id,
                 nng_dialer_id(redial->dialer)); /* a connection may be made from here on */
    if (has_keepalive(address))
        rv = nng_dialer_set_bool(redial->dialer, NNG_OPT_TCP_KEEPALIVE, true);
    if (rv == 0 && tls_is_address(address))
        rv = tls_prepare(redial->dialer, address, tls);
    if (rv == 0)
        rv = nng_dialer_start(redial->dialer, flags);
    if (rv != 0)
        redial_stop(redial);
    return rv;
}

void redial_look(struct redial *redial, bool connected)
{
    int64_t now_ns = clock_monotonic_ns();
    if (connected) {
        redial->alone_ns = 0;
        return;
    }
    if (redial->alone_ns == 0)
        redial->alone_ns = now_ns;
    if (now_ns - redial->alone_ns < REDIAL_AFTER_MS * (int64_t)NS_PER_MS)
        return;
    redial_stop(redial);
    int rv = redial_start(redial, redial->socket, redial->address, redial->tls, NNG_FLAG_NONBLOCK);
    if (rv != 0) {
        log_event(LOG_ERROR, "rpc.redial_failed", LOG_TEXT("address", redial->address),
                  LOG_TEXT("error", nng_strerror(rv)));
    }
}

void redial_stop(struct redial *redial)
{
    atomic_store(&redial->dialer_id, 0);
    (void)nng_dialer_close(redial->dialer); /* fails only if it is already closed */
}

bool redial_made(const struct redial *redial, nng_pipe pipe)
{
    int id = atomic_load(&redial->dialer_id);
    return id != 0 && id == nng_dialer_id(nng_pipe_dialer(pipe));
}
