/*
 * Asks hospital-svc for places: all bookings that wait go into one BatchReserve, several calls may be in
 * flight.
 *
 * What comes back, or fails to, is turned into a reserve_outcome per booking and handed to work_settle. A
 * Reserve that was not executed (it never left, hospital-svc is draining or overloaded) is sent again while
 * its caller's budget lasts: with a growing pause, or when hospital-svc asks for it, and as often as the
 * channel's retry budget allows, which counts calls, not bookings, and never takes a booking's last try.
 *
 * Each booking counts as one call for the channel's breaker, by its last result. While that is open nothing
 * is sent, and the outcome is unknown at once.
 */
#ifndef BOOKING_SVC_RESERVER_H
#define BOOKING_SVC_RESERVER_H

#include "work.h"

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "rpc/channel.h"

struct reserver;

struct reserver_options {
    uint32_t timeout_ms; /* of one call; 0 = 600 */
    size_t calls_max;    /* in flight at once, and one more of what nobody waits for; 0 = 32 */
    size_t batch_max;    /* bookings per call; 0 = 1024 */
};

/* `channel` (to hospital-svc), whose guard it asks, and `table` stay the caller's. Starts a thread. */
MUST_CHECK enum status reserver_open(const struct reserver_options *options, struct rpc_channel *channel,
                                     struct work_table *table, struct reserver **out, struct error *error);

/*
 * Nothing is sent from now on: submits are refused, flushes do nothing. Calls in flight go on; stopping the
 * channel ends them.
 */
void reserver_stop(struct reserver *reserver);

/*
 * Waits until the calls in flight have ended, and settles everything that still waits as unknown. After
 * reserver_stop and rpc_channel_stop, before writer_close.
 */
void reserver_settle_rest(struct reserver *reserver);

/*
 * After reserver_settle_rest and writer_close, before rpc_channel_close: until then batches ask the breaker
 * and settles call reserver_flush. NULL is allowed.
 */
void reserver_destroy(struct reserver *reserver);

/*
 * Adds a booking to those that wait; it leaves with the next reserver_flush. False once stopped: it is still
 * the caller's. Any thread.
 */
MUST_CHECK bool reserver_submit(struct reserver *reserver, struct work *work);

/*
 * The same for a booking whose grant is of another era than the one paired with: it is sent once more, a
 * moment later, if its budget lasts so long.
 */
MUST_CHECK bool reserver_ask_again(struct reserver *reserver, struct work *work);

/* The eras that calls carry from now on: booking-svc's own, and hospital-svc's as it is paired with. Any
 * thread. */
void reserver_set_eras(struct reserver *reserver, int64_t booking_era, int64_t hospital_era);

/* How many Reserves the breaker lets through now; SIZE_MAX = any number. Any thread. */
size_t reserver_room(struct reserver *reserver);

/* Milliseconds for which hospital-svc is not asked, because of the breaker; 0 = it may be asked. Any thread.
 */
uint32_t reserver_unavailable_ms(struct reserver *reserver);

/* Sends what waits, as far as calls may be in flight. Any thread but with no locks held; does not block. */
void reserver_flush(struct reserver *reserver);

#endif
