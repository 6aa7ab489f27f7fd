/*
 * Serves Pair, with which hospital-svc reports the era of its database. From then on booking-svc settles no
 * grant of another era. The answer lists the Reserves and deletions that a reverted hospital-svc may have
 * lost.
 *
 * The writer executes a Pair before all other commands of its batch. So the batch checks its settles against
 * the new era, and Pair reads only committed rows.
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
    struct event_cursor since;   /* head of the hospital log when its unpaired era began; log_id is unused */
    struct event_cursor applied; /* last event that hospital-svc has applied; all zero = none */
    bool adopt, paired;
    struct uuid requested_after, deleted_after;
};

/* A Pair call with its command (class WRITER_SETTLE, kind COMMAND_PAIR) and its answer. */
struct pairing {
    struct booking_command command;
    struct pair_wanted wanted;
    struct rpc_call *call;
    struct arena *arena; /* lives as long as the call; holds the answer */
    struct pairing_service *service;
    Screening__V1__PairResponse response; /* out: the answer, if command.writer.outcome is OK */
    struct event_cursor
        set_back_from; /* out: the hospital log's cursor before it was set back; seq 0 = not set back */
};

/*
 * Executes a Pair, as a part of writer_ops.apply. A refusal becomes the command's outcome. Any returned
 * status other than OK fails the batch.
 */
MUST_CHECK enum status pairing_apply(struct pairing *pairing, struct event_log *log, struct db *db,
                                     struct error *error);

/* The RPC service. */
struct pairing_service {
    struct handler_service service; /* must be first, because the handler receives its address */
    struct writer *writer;
    pthread_mutex_t lock;
    struct event_follower *follower; /* follows the hospital log; NULL unless open; guarded by `lock` */
    int64_t era;                     /* the era of the writer's last batch; used only by the writer thread */
};

/* Fills in the handler. Set the writer before the server calls the handler. */
void pairing_service_init(struct pairing_service *service);

/* Connects the follower, which must be open. */
void pairing_service_join_follower(struct pairing_service *service, struct event_follower *follower);

/*
 * Records the era of the batch. Call pairing_service_note_era after each commit. If the era has changed,
 * makes the follower read the cursor of the hospital log again, because the database may have reverted.
 */
void pairing_service_note_era(struct pairing_service *service, int64_t era);

/*
 * Disconnects the follower, so that Pairs still queued no longer use it. Call pairing_service_leave_follower
 * before event_follower_close.
 */
void pairing_service_leave_follower(struct pairing_service *service);

#endif
