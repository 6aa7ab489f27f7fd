/*
 * Serves Pair. hospital-svc reports the era of its database, and from then on booking-svc settles no grant of
 * any other era. The answer lists everything that hospital-svc may have lost if its database reverted.
 *
 * Pair runs through the writer, ahead of all other commands of its batch. The batch thus checks its settles
 * against the new era, and Pair reads only committed rows.
 */
#ifndef SCREENING_BOOKING_SVC_PAIRING_H
#define SCREENING_BOOKING_SVC_PAIRING_H

#include "batch.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "events/cursor.h"
#include "events/event_log.h"
#include "events/follower.h"
#include "rpc/server.h"
#include "service/handler.h"

#include "screening/v1/pairing.pb-c.h"

/* The parameters of the call. */
struct pair_wanted {
    struct uuid log_id; /* id of the hospital log */
    int64_t era;
    struct event_cursor since;   /* its log_id is unused */
    struct event_cursor applied; /* position in the booking log; all zero = none */
    bool adopt, paired;
    struct uuid requested_after, deleted_after;
};

/* One Pair call, its command (class WRITER_SETTLE, kind COMMAND_PAIR), and its answer. */
struct pairing {
    struct booking_command command;
    struct pair_wanted wanted;
    struct rpc_call *call;
    struct arena *arena; /* lives as long as the call; holds the answer */
    struct pairing_service *service;
    Screening__V1__PairResponse response; /* out: the answer, when command.writer.outcome is OK */
    struct event_cursor set_back_from;    /* out: cursor of the hospital log before it was set back; seq 0
                                           * = it was not */
};

/*
 * Implements a part of writer_ops.apply. A refusal becomes the command's outcome. Any other status than OK
 * fails the batch.
 */
MUST_CHECK enum status pairing_apply(struct pairing *pairing, struct event_log *log, struct db *db,
                                     struct error *error);

/* The RPC service. */
struct pairing_service {
    struct handler_service service; /* must be first, because the handler gets it */
    struct writer *writer;
    pthread_mutex_t lock;
    struct event_follower *follower; /* follows the hospital log; NULL unless open; guarded by `lock` */
    int64_t era;                     /* the era of the writer's last batch; for the writer thread only */
};

/* Fills in the handler. Set the writer before the server calls it. */
void pairing_service_init(struct pairing_service *service);

/* Connects the open follower. Call it once the follower is open. */
void pairing_service_join_follower(struct pairing_service *service, struct event_follower *follower);

/*
 * Records the era of the batch. Call it after each commit. If the era has changed, the cursor of the hospital
 * log may have reverted with the database, so the follower reads it again.
 */
void pairing_service_note_era(struct pairing_service *service, int64_t era);

/*
 * Disconnects the follower, so that Pairs still queued no longer use it. Call it before event_follower_close.
 */
void pairing_service_leave_follower(struct pairing_service *service);

#endif
