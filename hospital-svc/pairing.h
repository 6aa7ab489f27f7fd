/*
 * Pairing: agrees with booking-svc on the eras of both databases (events/era.h), so that a database that
 * reverted (restored backup, standby without the tail) is repaired before it grants places again.
 *
 *   a batch begins an era: UNPAIRED, Reserve is refused with RECOVERING
 *   -> Pair: booking-svc settles only grants of this era from now on, and returns the head of its log
 *   -> the booking log is applied up to that head; a confirmed booking takes its place despite the capacity
 *   -> one commit grants the bookings that were in flight, repeats lost deletions, and marks the era PAIRED
 *
 * The same thread pairs again when a caller names other eras. booking-svc has then begun an era, and its log
 * is checked before its Reserves are served. Every step is idempotent, and two replicas may pair at the same
 * time.
 */
#ifndef SCREENING_HOSPITAL_SVC_PAIRING_H
#define SCREENING_HOSPITAL_SVC_PAIRING_H

#include "command.h"
#include "pairing_call.h"
#include "problem_log.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/monitor.h"
#include "base/status.h"
#include "base/ticker.h"
#include "events/follower.h"
#include "rpc/channel.h"
#include "rpc/server.h"
#include "writer/writer.h"

struct pairing {
    struct writer *writer;
    struct event_follower *follower; /* follows the booking log */
    struct rpc_channel *channel;     /* leads to booking-svc */
    struct rpc_client *client;
    struct pairing_wish wish; /* the parameters of the next call; owned by the thread once it runs */
    /* The furthest position of booking-svc in the hospital log; owned by the thread. */
    struct event_cursor furthest;
    struct problem_log problem_log; /* owned by the thread */
    _Atomic(struct ticker *) ticker;
    /* Whether a pairing is due, because the era is unpaired or a caller named other eras. */
    atomic_bool wanted;
    _Atomic int64_t unpaired_ns;          /* monotonic time at which the era was found unpaired; 0 = paired */
    struct monitor monitor;               /* guards the fields below */
    char problem[RPC_DEGRADED_TEXT_SIZE]; /* a failure that only an operator can fix; empty = none */
    struct recovery recovery;
};

/* Initialises the struct. Call it before writer_open, since the writer may call pairing_note from then on. */
void pairing_init(struct pairing *pairing, bool adopt);

/* The callback for batch_on_unpaired. Runs on the writer thread. */
void pairing_note(void *context, bool eras_differ);

/* Starts the pairing thread. The arguments must outlive it. */
MUST_CHECK enum status pairing_open(struct pairing *pairing, struct writer *writer,
                                    struct event_follower *follower, struct rpc_channel *channel,
                                    struct error *error);

/*
 * Stops the thread. Waits for a call in flight, unless the channel was stopped first. Call it before
 * writer_close. Does nothing if never opened.
 */
void pairing_close(struct pairing *pairing);

/* Frees the rest. Call it after writer_close, when the writer can no longer call pairing_note. */
void pairing_destroy(struct pairing *pairing);

/* Writes up to `max` reasons why the service is degraded. Returns their number. Any thread. */
size_t pairing_degraded(struct pairing *pairing, char reasons[][RPC_DEGRADED_TEXT_SIZE], size_t max);

#endif
