/*
 * Detects when nng is stuck.
 *
 * nng frees broken connections on one thread. In the versions that we run on, a connection that breaks just
 * as its receiver asks for the rest of a message blocks that thread for good: nng refuses a read without
 * calling its callback, and the thread waits for that callback (nni_aio_begin on a stopped aio, resubmitted
 * by the transports' read callbacks). Established connections keep working, but nothing can reconnect. The
 * process must be restarted; service_wait does that.
 *
 * The watch repeatedly opens, connects and closes a pair of sockets within the process: the close hangs if
 * nng is stuck.
 */
#ifndef SCREENING_RPC_TRANSPORT_WATCH_H
#define SCREENING_RPC_TRANSPORT_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct transport_watch;

/* Starts the thread that makes these attempts. */
MUST_CHECK enum status transport_watch_open(struct transport_watch **out, struct error *error);

/*
 * Call about once a second, always from the same thread. Returns true once TRANSPORT_STUCK_LOOKS calls in a
 * row have found the same attempt under way. It counts calls, not time, so that a process that was suspended
 * for a while is not taken for stuck.
 */
enum { TRANSPORT_STUCK_LOOKS = 5 };
bool transport_watch_is_stuck(void *watch);

/* Ends the thread; a stuck thread is left running until the process exits. NULL is allowed. */
void transport_watch_close(struct transport_watch *watch);

#endif
