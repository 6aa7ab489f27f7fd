/*
 * Requests places from hospital-svc. All waiting bookings go into one BatchReserve. Several calls may be in
 * flight.
 *
 * The reserver turns each answer or failure into one placement_outcome per booking and passes these to
 * placement_settle. A Reserve that was not executed (it was never sent, or hospital-svc is draining or
 * overloaded) is retried while the caller's budget lasts, after a growing pause or the pause that
 * hospital-svc asks for. The channel's retry budget limits these retries. It counts calls, not bookings, and
 * never takes a booking's last try.
 *
 * Each booking counts as one call for the channel's breaker, by its last result. While the breaker is open
 * nothing is sent, and the outcome is immediately unknown.
 */
#ifndef SCREENING_BOOKING_SVC_RESERVER_H
#define SCREENING_BOOKING_SVC_RESERVER_H

#include "placements.h"

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "rpc/channel.h"

struct reserver;

struct reserver_options {
    uint32_t timeout_ms; /* timeout of one call; 0 = 600 */
    size_t calls_max;    /* largest number of calls in flight, besides one background call; 0 = 32 */
    size_t batch_max;    /* largest number of bookings in a call; 0 = 1024 */
};

/* Starts a thread. The caller keeps ownership of `channel` (to hospital-svc), whose breaker the reserver
 * uses, and of `table`. */
MUST_CHECK enum status reserver_open(const struct reserver_options *options, struct rpc_channel *channel,
                                     struct placements *table, struct reserver **out, struct error *error);

/*
 * Stops sending. From now on submits are refused and flushes do nothing. Calls in flight continue until the
 * channel is stopped.
 */
void reserver_stop(struct reserver *reserver);

/*
 * Waits for the calls in flight to end, then settles all waiting placements as unknown. Call it after
 * reserver_stop and rpc_channel_stop, before writer_close.
 */
void reserver_settle_rest(struct reserver *reserver);

/*
 * Frees the reserver. Call it after reserver_settle_rest and writer_close, because until then batches use the
 * breaker and settles call reserver_flush. Call it before rpc_channel_close. NULL is allowed.
 */
void reserver_destroy(struct reserver *reserver);

/*
 * Queues a booking for the next reserver_flush. Returns false once stopped. The caller then still owns the
 * placement. Any thread.
 */
MUST_CHECK bool reserver_submit(struct reserver *reserver, struct placement *placement);

/*
 * Like reserver_submit, for a booking whose grant has an era other than the paired one. It is sent again
 * after a short pause, if its budget lasts.
 */
MUST_CHECK bool reserver_ask_again(struct reserver *reserver, struct placement *placement);

/*
 * Sets the eras that calls carry from now on. These are booking-svc's own and the era of hospital-svc that it
 * is paired with. Any thread.
 */
void reserver_set_eras(struct reserver *reserver, int64_t booking_era, int64_t hospital_era);

/* Returns the number of Reserves that the breaker lets through now. SIZE_MAX means no limit. Any thread. */
size_t reserver_room(struct reserver *reserver);

/*
 * Returns the milliseconds for which the breaker still blocks calls to hospital-svc, or 0 if it does not. Any
 * thread.
 */
uint32_t reserver_wait_ms(struct reserver *reserver);

/*
 * Sends waiting placements, up to the limit of calls in flight. Does not block. Any thread, with no locks
 * held.
 */
void reserver_flush(struct reserver *reserver);

#endif
