/*
 * Pair: hospital-svc says in which era its database is, and booking-svc settles no grant of another one from
 * then on. The answer holds all that hospital-svc may lack after its database went back.
 *
 * It runs through the writer, before everything else of its batch: what the batch settles is judged by the
 * new era, and what it reads has been committed.
 */
#ifndef BOOKING_SVC_PAIRING_H
#define BOOKING_SVC_PAIRING_H

#include "batch.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "events/cursor.h"
#include "events/event_log.h"
#include "events/subscriber.h"
#include "rpc/server.h"

#include "screening/v1/pairing.pb-c.h"

/* What hospital-svc says. */
struct pair_wanted {
    struct uuid log_id; /* the hospital log's */
    int64_t era;
    struct event_cursor since;   /* its log_id is not used */
    struct event_cursor applied; /* of the booking log; all zero = nothing */
    bool adopt, paired;
    struct uuid requested_after, deleted_after;
};

/* One call, the command of class WRITER_SETTLE and kind COMMAND_PAIR that it becomes, and its answer. */
struct pairing {
    struct booking_command command; /* first: what the writer hands back */
    struct pair_wanted wanted;
    struct rpc_call *call;
    struct arena *arena; /* lives as long as the call; the answer lies in it */
    struct pairing_service *service;
    Screening__V1__PairResponse response; /* out, when command.writer.outcome is OK */
    struct event_cursor set_back_from;    /* out: of the hospital log; seq 0 = it was not set back */
};

/* writer_ops.apply's part. A refusal is the command's outcome; another status than OK fails the batch. */
MUST_CHECK enum status pairing_apply(struct pairing *pairing, struct event_log *log, struct db *db,
                                     struct error *error);

/* The RPC service. */
struct pairing_service {
    Screening__V1__PairingService_Service service; /* first: what the generated code hands back */
    struct writer *writer;
    pthread_mutex_t lock;
    struct event_subscriber *subscriber; /* of the hospital log; NULL unless it is open; with the lock */
    int64_t era;                         /* of the writer's last batch; the writer thread's */
};

/* Fills in the methods. The writer must be set before the server calls them. */
void pairing_service_init(struct pairing_service *service);

/* The subscriber is open. */
void pairing_service_join_subscriber(struct pairing_service *service, struct event_subscriber *subscriber);

/* After each commit, with the era of the batch. In another era than before, the cursor of the hospital log
 * may have gone back with the database: the subscriber reads it again. */
void pairing_service_note_era(struct pairing_service *service, int64_t era);

/* Before event_subscriber_close: Pairs that still wait for the writer leave the subscriber alone. */
void pairing_service_leave_subscriber(struct pairing_service *service);

#endif
