/*
 * The writer's part of pairing with booking-svc (pairing.h). It reads the database's record of its era, and
 * commits the pairing. It also records the facts that an operator must know after the database reverted.
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
    /* In: whether to follow the booking log from its start, because it is a different log. */
    bool forget_booking_log;
    /* out */
    struct event_era era;
    struct uuid log_id;        /* id of the hospital log */
    struct event_cursor since; /* hospital log position when the first unpaired era began; zero if paired */
    /* Position in the booking log. Without a cursor, it is the log of the last pairing at seq 0. */
    struct event_cursor applied;
    struct recovery recovery;
};

/*
 * COMMAND_PAIR: marks the era as paired. The era must still be the one that was sent to booking-svc, and the
 * booking log of booking-svc's era must have been applied up to `head_seq`. The second check is needed
 * because events that booking-svc has lost in the meantime may have been applied while the call was in
 * flight.
 */
struct pair_done {
    int64_t era;
    int64_t peer; /* booking-svc's era as this database knew it before booking-svc was asked */
    int64_t booking_era;
    struct uuid booking_log_id;
    uint64_t head_seq;
    struct uuid head_event_id;    /* zero = not reported */
    struct event_cursor checked;  /* position in the booking log, confirmed by booking-svc */
    struct event_cursor told;     /* how far booking-svc had applied the hospital log */
    bool set_back;                /* whether booking-svc has set this cursor back */
    struct event_cursor furthest; /* the furthest `told` so far, including failed attempts */
    const struct reserve *requested;
    size_t requested_count;
    const struct uuid *deleted; /* ids of hospitals */
    size_t deleted_count;
    /* out */
    size_t granted, deleted_again;
    /* owned by the batch */
    struct event_cursor applied;
    bool lost;       /* whether `furthest` is not in the hospital log */
    bool from_start; /* whether `told` is not in it either and booking-svc did not set it back, so that it
                        must start from the beginning */
    struct era_details details;
};

MUST_CHECK enum status store_read_recovery(struct db *db, struct recovery *out, struct error *error);
MUST_CHECK enum status store_add_reinstated(struct db *db, int64_t count, struct error *error);
MUST_CHECK enum status store_add_lost(struct db *db, uint64_t from, uint64_t to, struct error *error);

/* Clears the record after an operator has seen it. */
MUST_CHECK enum status store_acknowledge_recovery(struct db *db, struct error *error);

#endif
