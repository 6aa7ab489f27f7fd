/*
 * Agrees with booking-svc on the eras of both databases (events/era.h), so that a database that went back is
 * healed before places are granted again.
 *
 *   a batch begins an era: UNPAIRED, Reserve is refused with RECOVERING
 *   -> Pair: booking-svc settles only grants of this era from now on, and answers with the head of its log
 *   -> the booking log is followed up to that head; a confirmed booking takes its place whatever the capacity
 *   -> one commit grants what was under way, repeats deletions that were lost, and is PAIRED
 *
 * The same thread asks again when a caller knows other eras: then booking-svc has begun one, and its log is
 * checked before it is served. All of it may be repeated, and two replicas may do it at once.
 */
#ifndef SCREENING_HOSPITAL_SVC_PAIRING_H
#define SCREENING_HOSPITAL_SVC_PAIRING_H

#include "command.h"
#include "pairing_call.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/ticker.h"
#include "events/monitor.h"
#include "events/subscriber.h"
#include "rpc/channel.h"
#include "rpc/server.h"
#include "writer/writer.h"

struct pairing {
    struct writer *writer;
    struct event_subscriber *subscriber; /* of the booking log */
    struct rpc_channel *channel;         /* to booking-svc */
    struct rpc_client *client;
    struct pairing_wish wish;     /* of the next call; the thread's own once it runs */
    struct event_cursor furthest; /* what booking-svc had applied of the hospital log; the thread's own */
    _Atomic(struct ticker *) ticker;
    atomic_bool wanted;                   /* the writer has met an unpaired era, or other eras */
    _Atomic int64_t unpaired_ns;          /* since when; 0 = it is paired */
    struct monitor monitor;               /* guards what follows */
    bool answered;                        /* by the writer */
    char problem[RPC_DEGRADED_TEXT_SIZE]; /* why it fails for good; empty = it does not */
    struct recovery recovery;
};

/* Before the writer is opened: pairing_note may be called from then on. */
MUST_CHECK enum status pairing_init(struct pairing *pairing, bool adopt, struct error *error);

/* batch_on_unpaired. */
void pairing_note(void *context, bool eras_differ);

/* Starts to pair. What is handed in must outlive it. */
MUST_CHECK enum status pairing_open(struct pairing *pairing, struct writer *writer,
                                    struct event_subscriber *subscriber, struct rpc_channel *channel,
                                    struct error *error);

/* Ends the thread, the sooner if the channel was stopped. Before writer_close. Also one never opened. */
void pairing_close(struct pairing *pairing);

/* After writer_close: nobody calls pairing_note any more. */
void pairing_destroy(struct pairing *pairing);

/* Writes up to `max` reasons for which the service is degraded; how many. Any thread. */
size_t pairing_degraded(struct pairing *pairing, char reasons[][RPC_DEGRADED_TEXT_SIZE], size_t max);

#endif
