/*
 * Requests places from hospital-svc. A BatchReserve contains up to batch_max waiting bookings. Several calls
 * may be in flight.
 *
 * The reserver turns each answer or failure into one placement_outcome per booking and passes these to
 * placement_settle. A Reserve that was not executed (it was never sent, or hospital-svc is draining or
 * overloaded) is retried within the caller's budget, after a growing pause or the pause that hospital-svc
 * requests. The channel's retry budget limits these retries. The budget counts calls, not bookings, and never
 * prevents a booking's last try.
 *
 * Each booking counts as one call for the channel's breaker, by its last result. While the breaker is open,
 * nothing is sent, and the outcome of new placements is immediately unknown.
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
    size_t calls_max;    /* maximum number of calls in flight, except one background call; 0 = 32 */
    size_t batch_max;    /* maximum number of bookings in a call; 0 = 1024 */
};

/*
 * Creates a reserver and starts its timer thread. The caller keeps ownership of `channel` (to hospital-svc),
 * whose breaker the reserver uses, and of `table`.
 */
MUST_CHECK enum status reserver_open(const struct reserver_options *options, struct rpc_channel *channel,
                                     struct placements *table, struct reserver **out, struct error *error);

/*
 * Stops sending. Afterwards reserver_submit refuses placements and reserver_flush does nothing. Calls in
 * flight continue until the channel is stopped.
 */
void reserver_stop(struct reserver *reserver);

/*
 * Waits for the calls in flight to end, then settles all waiting placements as unknown. Call
 * reserver_settle_rest after reserver_stop and rpc_channel_stop, before writer_close.
 */
void reserver_settle_rest(struct reserver *reserver);

/*
 * Frees the reserver. Call it only after reserver_settle_rest and writer_close: until then, batches use the
 * breaker, and the settle of a batch calls reserver_flush. Call rpc_channel_close afterwards. NULL is
 * allowed.
 */
void reserver_destroy(struct reserver *reserver);

/*
 * Queues a placement for the next reserver_flush. Returns false if the reserver has stopped; the caller then
 * still owns the placement. Any thread.
 */
MUST_CHECK bool reserver_submit(struct reserver *reserver, struct placement *placement);

/*
 * Like reserver_submit, for a placement whose grant has an era other than the paired one. The placement is
 * sent again after a short pause, if its budget permits.
 */
MUST_CHECK bool reserver_ask_again(struct reserver *reserver, struct placement *placement);

/*
 * Sets the eras that calls carry from now on: booking-svc's own era, and the era of hospital-svc with which
 * it is paired. Any thread.
 */
void reserver_set_eras(struct reserver *reserver, int64_t booking_era, int64_t hospital_era);

/* Returns the number of Reserves that the breaker admits now. SIZE_MAX means no limit. Any thread. */
size_t reserver_room(struct reserver *reserver);

/*
 * Returns the milliseconds for which the breaker still blocks calls to hospital-svc, or 0 if it does not
 * block them. Any thread.
 */
uint32_t reserver_wait_ms(struct reserver *reserver);

/*
 * Sends waiting placements, up to the limit of calls in flight. Does not block. Any thread, with no locks
 * held.
 */
void reserver_flush(struct reserver *reserver);

#endif
