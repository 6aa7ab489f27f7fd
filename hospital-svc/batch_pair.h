/*
 * The writer's part of pairing with booking-svc (pairing.h): what the database says about its era, and the
 * commit in which it becomes paired. Also what a batch notes for an operator when the database has gone back.
 */
#ifndef SCREENING_HOSPITAL_SVC_BATCH_PAIR_H
#define SCREENING_HOSPITAL_SVC_BATCH_PAIR_H

#include "hospital.h"
#include "working_set.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "db/db.h"
#include "events/cursor.h"
#include "events/era.h"

/* Table recovery. */
struct recovery {
    int64_t reinstated;
    uint64_t lost_from, lost_to; /* seq of the hospital log; 0 = none */
};

/* COMMAND_LOOK: what a pairing begins with. */
struct pair_look {
    bool forget_booking_log; /* in: follow it from its start, it is another one */
    /* out */
    struct event_era era;
    struct uuid log_id;        /* of the hospital log */
    struct event_cursor since; /* the hospital log when the first era began that is not paired; 0 = paired */
    struct event_cursor applied; /* of the booking log; without one, the log paired with, at seq 0 */
    struct recovery recovery;
};

/*
 * COMMAND_PAIR: becomes paired, if the era is still the one that booking-svc was told, and the booking log
 * has been followed up to `head_seq` as it is in booking-svc's era: events of a log that has been lost since
 * may have been applied while booking-svc was asked.
 */
struct pair_done {
    int64_t era;
    int64_t booking_era;
    struct uuid booking_log_id;
    uint64_t head_seq;
    struct uuid head_event_id;    /* zero = not told */
    struct event_cursor checked;  /* of the booking log: it has this event in booking-svc's era */
    struct event_cursor told;     /* how far booking-svc had applied the hospital log */
    bool set_back;                /* it has set this cursor back */
    struct event_cursor furthest; /* the furthest that it told, also in attempts that have failed */
    const struct reserve *requested;
    size_t requested_count;
    const struct uuid *deleted; /* hospitals */
    size_t deleted_count;
    /* out */
    size_t granted, deleted_again;
    /* the batch's own */
    struct event_cursor applied;
    bool lost;       /* `furthest` is not in the hospital log */
    bool from_start; /* `told` is not either, and was not set back: booking-svc must go back to the start */
    struct era_details details;
};

MUST_CHECK enum status store_read_recovery(struct db *db, struct recovery *out, struct error *error);
MUST_CHECK enum status store_add_reinstated(struct db *db, int64_t count, struct error *error);
MUST_CHECK enum status store_add_lost(struct db *db, uint64_t from, uint64_t to, struct error *error);

/* An operator has seen it. */
MUST_CHECK enum status store_acknowledge_recovery(struct db *db, struct error *error);

#endif
