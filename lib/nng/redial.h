/*
 * A dialer that keeps trying to connect.
 *
 * nng's own dialer reconnects in a loop, but the loop can end silently (dialer_connect_cb). handshake_epipe.c
 * prevents the only case that we know of. Even so, after a fault test had killed a service behind a proxy,
 * both of its subscribers had no connection for a minute (nng 1.5.2). The cause is unknown. So we replace a
 * dialer that has been without a connection for a long time.
 *
 * The kernel ends a connection whose peer's machine has vanished (vanished_peer.c), and nng then dials again.
 */
#ifndef SCREENING_NNG_REDIAL_H
#define SCREENING_NNG_REDIAL_H

#include <nng/nng.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "nng/tls.h"

/* Longer than any pause between two of nng's own attempts to connect. */
enum { REDIAL_AFTER_MS = 2000 };

struct redial {
    nng_socket socket;
    const char *address;           /* must outlive the struct */
    const struct tls_dialing *tls; /* likewise; used for TLS addresses only */
    nng_dialer dialer;
    _Atomic int dialer_id; /* of `dialer`, for redial_made; 0 = none */
    /*
     * When redial_look first found no connection or last redialled; 0 = it found a connection at its last
     * call.
     */
    int64_t alone_ns;
};

/*
 * Starts to dial. `flags` are those of nng_dialer_start; `tls` may be NULL if the address is not one for TLS.
 * Returns nng's error code, or 0. After a failure, redial_look tries again.
 */
int redial_start(struct redial *redial, nng_socket socket, const char *address, const struct tls_dialing *tls,
                 int flags);

/*
 * Starts a new dialer once REDIAL_AFTER_MS have passed without a connection. Call it about once a second
 * while there is no connection, always from the same thread, which must not be one of nng's.
 */
void redial_look(struct redial *redial, bool connected);

/* Ends the dialling and closes a connection if there is one (but see stuck_reaper.h). */
void redial_stop(struct redial *redial);

/*
 * Returns whether the connection is one of the current dialer. Any thread; it may run at the same
 * time as other functions of this file. For a `redial` that is zero, returns false.
 */
bool redial_made(const struct redial *redial, nng_pipe pipe);

#endif
