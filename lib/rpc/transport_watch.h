/*
 * Notices when nng can't go on.
 *
 * nng frees broken connections on one thread. In the versions that we run on, a connection that breaks at the
 * moment in which its receiver asks for the rest of a message blocks that thread for good: a read is refused
 * without a callback, and the thread waits for it (nni_aio_begin on a stopped aio, resubmitted by the
 * transports' read callbacks). What is connected keeps working, but nothing reconnects any more. The process
 * must be started anew; service_restart does that.
 *
 * The watch opens, connects and closes a pair of sockets inside the process, again and again: closing hangs
 * when nng does.
 */
#ifndef SCREENING_RPC_TRANSPORT_WATCH_H
#define SCREENING_RPC_TRANSPORT_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct transport_watch;

/* Starts the thread that tries. */
MUST_CHECK enum status transport_watch_open(struct transport_watch **out, struct error *error);

/*
 * To be called about every second, by one thread: true once the same attempt was found under way
 * TRANSPORT_STUCK_LOOKS times. Looks are counted, not time, so that a process that was stopped for a while is
 * not taken for stuck.
 */
enum { TRANSPORT_STUCK_LOOKS = 5 };
bool transport_watch_is_stuck(void *watch);

/* Ends the thread; one that is stuck is left to the end of the process. NULL is allowed. */
void transport_watch_close(struct transport_watch *watch);

#endif
