/*
 * The writer's part of pairing with booking-svc (pairing.h). It reads the state of the era from the database
 * and commits the pairing. It also records what an operator must know after the database has reverted to an
 * earlier state.
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

/* The row of table recovery. */
struct recovery {
    int64_t reinstated;
    uint64_t lost_from, lost_to; /* seqs of the hospital log; 0 = none */
};

/* COMMAND_LOOK: reads the state from which a pairing starts. */
struct pair_look {
    /*
     * In: whether to forget the cursor and follow the booking log from its start, because it is a different
     * log.
     */
    bool forget_booking_log;
    /* out */
    struct event_era era;
    struct uuid log_id; /* id of the hospital log */
    /* The head of the hospital log at the start of the first unpaired era. Zero if the era is paired. */
    struct event_cursor since;
    /*
     * The position in the booking log. If there is no cursor, seq is 0 and log_id is that of the last
     * pairing.
     */
    struct event_cursor applied;
    struct recovery recovery;
};

/*
 * COMMAND_PAIR: marks the era as paired. The era must still be the one that was sent to booking-svc, and the
 * booking log of booking-svc's era must have been applied up to `head_seq`. The second check is necessary,
 * because during the call this service may have applied events that booking-svc has lost in the meantime.
 */
struct pair_done {
    int64_t era;
    int64_t peer; /* booking-svc's era as stored in this database before the call */
    int64_t booking_era;
    struct uuid booking_log_id;
    uint64_t head_seq;
    struct uuid head_event_id;    /* zero = not reported */
    struct event_cursor checked;  /* position in the booking log that booking-svc has confirmed */
    struct event_cursor told;     /* the last event of the hospital log that booking-svc had applied */
    bool set_back;                /* whether booking-svc has set back its cursor */
    struct event_cursor furthest; /* the furthest `told` since the last pairing, including failed attempts */
    const struct reserve *requested;
    size_t requested_count;
    const struct uuid *deleted; /* ids of hospitals */
    size_t deleted_count;
    /* out */
    size_t granted, deleted_again;
    /* owned by the batch */
    struct event_cursor applied;
    bool lost; /* whether the hospital log lacks `furthest` */
    /* Whether booking-svc must apply the hospital log from its start. True if the log lacks `told` and
     * booking-svc has not set back its cursor. */
    bool from_start;
    struct era_details details;
};

MUST_CHECK enum status store_read_recovery(struct db *db, struct recovery *out, struct error *error);
MUST_CHECK enum status store_add_reinstated(struct db *db, int64_t count, struct error *error);
MUST_CHECK enum status store_add_lost(struct db *db, uint64_t from, uint64_t to, struct error *error);

/* Clears the row of table recovery after the operator has acknowledged it. */
MUST_CHECK enum status store_acknowledge_recovery(struct db *db, struct error *error);

#endif
