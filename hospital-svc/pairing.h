/*
 * Pairs with booking-svc: agrees on the eras of both databases (events/era.h). So a database that reverted (a
 * restored backup, or a standby that lacks the last commits) is repaired before it grants places again.
 *
 *   a batch begins an era: UNPAIRED, Reserve is refused with RECOVERING
 *   -> Pair: booking-svc settles only grants of this era from now on, and returns the head of its log
 *   -> the booking log is applied up to that head; a confirmed booking takes its place despite the capacity
 *   -> one commit grants the bookings that were in flight, repeats lost deletions, and marks the era PAIRED
 *
 * The same thread pairs again if a Reserve call names eras other than the current ones. In that case
 * booking-svc may have begun an era, and its log is checked before its Reserves are served. Every step is
 * idempotent, and two replicas may pair at the same time.
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
    struct rpc_channel *channel;     /* connects to booking-svc */
    struct rpc_client *client;
    struct pairing_options options; /* parameters of the next call; used only by the pairing thread */
    /*
     * The furthest position in the hospital log that booking-svc has reported since the last pairing. Used
     * only by the pairing thread.
     */
    struct event_cursor furthest;
    struct problem_log problem_log; /* used only by the pairing thread */
    _Atomic(struct ticker *) ticker;
    /* Whether a pairing is due, because the era is unpaired or the eras of a Reserve call differ. */
    atomic_bool wanted;
    _Atomic int64_t unpaired_ns;          /* monotonic time at which the era was found unpaired; 0 = paired */
    struct monitor monitor;               /* guards the fields below */
    char problem[RPC_DEGRADED_TEXT_SIZE]; /* a problem that only an operator can fix; empty = none */
    struct recovery recovery;
};

/*
 * Initialises the struct. `adopt` says whether to accept a different booking database. Call pairing_init
 * before writer_open, because afterwards the writer may call pairing_note.
 */
void pairing_init(struct pairing *pairing, bool adopt);

/* The callback for batch_on_unpaired. Runs on the writer thread. */
void pairing_note(void *context, bool eras_differ);

/* Starts the pairing thread. The arguments must outlive the thread. */
MUST_CHECK enum status pairing_open(struct pairing *pairing, struct writer *writer,
                                    struct event_follower *follower, struct rpc_channel *channel,
                                    struct error *error);

/*
 * Stops the thread. Call pairing_close before writer_close. Waits for a call in flight, unless the channel
 * was stopped first. Does nothing if pairing_open was never called.
 */
void pairing_close(struct pairing *pairing);

/*
 * Frees the members. Call pairing_destroy after writer_close, when the writer can no longer call
 * pairing_note.
 */
void pairing_destroy(struct pairing *pairing);

/* Writes up to `max` reasons why the service is degraded. Returns their number. Any thread. */
size_t pairing_degraded(struct pairing *pairing, char reasons[][RPC_DEGRADED_TEXT_SIZE], size_t max);

#endif
