/*
 * A dialer that never gives up.
 *
 * nng's own dialer reconnects in a loop, but the loop can end silently (dialer_connect_cb). handshake_epipe.c
 * prevents the case that we know. Even so, in one round of fault tests both subscribers of a service that was
 * killed behind a proxy stayed without a connection for a minute (nng 1.5.2), and we do not know why. So we
 * replace a dialer that has been without a connection for a long time.
 */
#ifndef SCREENING_NNG_REDIAL_H
#define SCREENING_NNG_REDIAL_H

#include <nng/nng.h>
#include <stdbool.h>
#include <stdint.h>

/* Longer than any pause between two of nng's own attempts to connect. */
enum { REDIAL_AFTER_MS = 2000 };

struct redial {
    nng_socket socket;
    const char *address; /* must outlive the struct */
    nng_dialer dialer;
    /* The start of the time without a connection, as seen by redial_look; 0 = connected at the last look. */
    int64_t alone_ns;
};

/* Starts to dial. `flags` are those of nng_dialer_start. Returns nng's error code, or 0. */
int redial_start(struct redial *redial, nng_socket socket, const char *address, int flags);

/*
 * Starts a new dialer once REDIAL_AFTER_MS have passed without a connection. Call it about once a second
 * while there is no connection, always from the same thread, which must not be one of nng's.
 */
void redial_look(struct redial *redial, bool connected);

#endif
