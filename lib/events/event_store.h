/* The SQL of the event log: its head row and its events. */
#ifndef SCREENING_EVENTS_EVENT_STORE_H
#define SCREENING_EVENTS_EVENT_STORE_H

#include <stdint.h>

#include "base/status.h"
#include "base/uuid.h"
#include "db/db.h"
#include "events/era.h"

/* The last event of the log. Before the first event, seq is 0 and event_id is zero. */
struct event_head {
    struct uuid log_id;
    uint64_t seq;
    struct uuid event_id;
    int64_t era; /* the era of the database; 0 = none has begun */
};

/* A snapshot of the log, for a reader positioned at `after_seq`. */
struct event_position {
    struct event_head head;
    uint64_t first_seq;   /* seq of the oldest event that still exists; head.seq + 1 if there is none */
    struct uuid event_id; /* id of the event at after_seq; zero if there is none */
};

/*
 * Reads the head row, including the era, and locks it until the end of the transaction. Returns INTERNAL if
 * there is no head. `lock` is a statement defined by EVENT_LOCK_HEAD, or NULL for a service that does not
 * count commits.
 */
MUST_CHECK enum status event_store_lock_head(struct db *db, const struct db_statement *lock,
                                             struct event_head *out, struct era_place *place,
                                             struct error *error);

/* Reads the head without locking it. Returns INTERNAL if there is none. */
MUST_CHECK enum status event_store_read_head(struct db *db, struct event_head *out, struct error *error);

MUST_CHECK enum status event_store_move_head(struct db *db, const struct event_head *head,
                                             struct error *error);

/*
 * Adds one row to the parameters of event_store_insert. `bytes` must remain valid until event_store_insert
 * returns.
 */
void event_store_add_row(struct db_params *params, uint64_t seq, const struct uuid *event_id,
                         const char *type, int64_t occurred_at_us, const uint8_t *bytes, size_t size,
                         const struct uuid *subject);
MUST_CHECK enum status event_store_insert(struct db *db, const struct db_params *params, struct error *error);

MUST_CHECK enum status event_store_read_position(struct db *db, uint64_t after_seq,
                                                 struct event_position *out, struct error *error);

/* Calls `on_row` with (seq, packed event) for at most `limit` events after `after_seq`, in order. */
MUST_CHECK enum status event_store_read(struct db *db, uint64_t after_seq, uint32_t limit, db_row_fn on_row,
                                        void *context, struct error *error);

#endif
