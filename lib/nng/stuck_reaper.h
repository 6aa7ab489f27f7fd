/*
 * Limits the damage from a defect in nng. nng frees broken connections on one thread, the reaper, and a
 * connection that breaks at a bad moment blocks that thread for good. The transport's read callback starts to
 * read the rest of a message without checking whether the connection was closed in the meantime. nng refuses
 * this read without calling back (nni_aio_begin), but the reaper waits for the callback. From then on nng
 * frees no connection of the process and closes no socket. Established connections keep working, but nothing
 * can reconnect.
 *
 * nng 1.5.2 has the defect for tcp and ipc, nng 1.6.0 and later for ipc. So we never close a connection on
 * which a message may be arriving (muted.h, events/inbox.c). These functions handle the case that the reaper
 * nevertheless gets stuck.
 */
#ifndef SCREENING_NNG_STUCK_REAPER_H
#define SCREENING_NNG_STUCK_REAPER_H

#include <nng/nng.h>
#include <stdbool.h>

#include "base/status.h"

/*
 * Closes a socket like nng_close, which waits until the reaper has freed all connections of the socket. Does
 * not block forever, unless no thread can be started. Returns true if the socket is closed. Returns false
 * after 2 s (100 ms if an earlier close has hung). The close then continues until the process exits, and
 * everything that the socket's callbacks may use must stay in memory. Do not call it from an nng callback.
 */
bool socket_close(nng_socket socket);

/*
 * Detects that the reaper is stuck, so that the process must be restarted. Twice a second a thread opens,
 * connects and closes a pair of sockets within the process. The close hangs if the reaper is stuck.
 */
struct transport_watch;

/* Starts the thread. Returns RESOURCE_EXHAUSTED on failure. */
MUST_CHECK enum status transport_watch_open(struct transport_watch **out, struct error *error);

/*
 * Returns true once TRANSPORT_STUCK_LOOKS calls in a row have found the same attempt still under way. Call it
 * about once a second, always from the same thread. It counts calls, not time, so that a process that was
 * suspended for a while is not reported as stuck.
 */
enum { TRANSPORT_STUCK_LOOKS = 5 };
bool transport_watch_is_stuck(void *watch);

/* Ends the thread. A stuck thread is left running until the process exits. NULL is allowed. */
void transport_watch_close(struct transport_watch *watch);

#endif
