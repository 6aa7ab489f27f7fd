/*
 * The publishers that an inbox follows: one dialer of its socket per address. The monitor of the inbox guards
 * what nng's threads and the resolver's thread share with the follower's thread.
 *
 * A dialer is closed only while it has no connection, because closing a connection may block nng for good
 * (nng/stuck_reaper.h). So a publisher whose address is no longer listed is followed until its connection
 * ends. A connection whose publisher's machine has vanished is ended by the kernel (nng/vanished_peer.c), and
 * the dialer then dials again. The messages of the other publishers do not matter for that.
 */
#ifndef SCREENING_EVENTS_DIALERS_H
#define SCREENING_EVENTS_DIALERS_H

#include <nng/nng.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/monitor.h"
#include "base/resolver.h"
#include "nng/redial.h"

enum { DIALERS_MAX = RESOLVED_MAX };

struct dialer {
    char address[ADDRESS_TEXT_SIZE]; /* empty = free; used only by the follower's thread */
    struct redial redial;            /* likewise, except for redial_made */
    /* The following members are guarded by the monitor. */
    int pipe_id; /* the connection; 0 = none */
    bool was_connected;
};

struct dialers {
    struct monitor *monitor;
    nng_socket socket;
    struct dialer items[DIALERS_MAX];
    /* The following members are guarded by the monitor. */
    struct resolved wanted;
    bool changed; /* whether `wanted` has changed since the last look */
    int used;     /* number of items that are not free */
    int connections;
    int64_t looked_ns; /* when dialers_look was last called; monotonic; 0 = look now */
};

/* Initialises without dialling. The monitor and the socket must outlive the dialers. */
void dialers_init(struct dialers *dialers, struct monitor *monitor, nng_socket socket);

/* Sets the addresses to dial. The next dialers_look dials them. Any thread, without the monitor's lock. */
void dialers_want(struct dialers *dialers, const struct resolved *wanted);

/*
 * Dials the addresses that are wanted, closes the dialers of others once they have no connection, and redials
 * (redial.h). Call it when dialers_look_due_ns is reached, always on the same thread, without the monitor's
 * lock. Returns nng's error code for the first address that could not be dialled, or 0; such an address is
 * tried again.
 */
int dialers_look(struct dialers *dialers);

/*
 * Returns when to call dialers_look; INT64_MAX = not while nothing changes. The caller must hold the
 * monitor's lock.
 */
int64_t dialers_look_due_ns(const struct dialers *dialers);

enum dialers_event {
    DIALERS_NONE,      /* a connection of a dialer that was closed meanwhile */
    DIALERS_FIRST,     /* the dialer's first connection */
    DIALERS_CONNECTED, /* another one */
    DIALERS_LOST,
};

/*
 * Records that nng has added or removed a connection. Runs on nng's threads. The caller must hold the
 * monitor's lock.
 */
enum dialers_event dialers_note(struct dialers *dialers, nng_pipe pipe, nng_pipe_ev event);

#endif
