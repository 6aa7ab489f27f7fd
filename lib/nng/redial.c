#include "nng/redial.h"

#include "base/clock.h"
#include "base/log.h"

int redial_start(struct redial *redial, nng_socket socket, const char *address, const struct tls_dialing *tls,
                 int flags)
{
    nng_dialer dialer;
    int rv = nng_dialer_create(&dialer, socket, address);
    if (rv != 0)
        return rv;
    if (tls_is_address(address))
        rv = tls_prepare(dialer, address, tls);
    if (rv == 0)
        rv = nng_dialer_start(dialer, flags);
    if (rv != 0) {
        (void)nng_dialer_close(dialer);
        return rv;
    }
    *redial = (struct redial){.socket = socket, .address = address, .tls = tls, .dialer = dialer};
    return 0;
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
    redial->alone_ns = now_ns;
    (void)nng_dialer_close(redial->dialer); /* fails only if a failed redial has already closed it */
    int rv = redial_start(redial, redial->socket, redial->address, redial->tls, NNG_FLAG_NONBLOCK);
    if (rv != 0) {
        log_event(LOG_ERROR, "rpc.redial_failed", LOG_TEXT("address", redial->address),
                  LOG_TEXT("error", nng_strerror(rv)));
    }
}
