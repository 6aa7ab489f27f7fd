/*
 * How far this service has applied another's log, and in which era of the other database: `era` says that the
 * event at the cursor is in the log as it is in that era. After the other database has gone back, events of
 * the time that it lost may still be on their way; they follow the cursor, but are of another era, and are
 * left (event_chunk_begin).
 *
 * The row is written by event_chunk_finish and event_cursor_enter_era, set back by event_cursor_rewind, and
 * deleted by event_log_give_up.
 */
#ifndef SCREENING_EVENTS_CURSOR_H
#define SCREENING_EVENTS_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "base/uuid.h"
#include "db/db.h"

/* The last event applied. All zero before the first. */
struct event_cursor {
    struct uuid log_id;
    uint64_t seq;
    struct uuid event_id;
    int64_t era; /* 0 = not known: the publisher is too old to tell it, or there is no cursor yet */
};

bool event_cursor_equal(const struct event_cursor *a, const struct event_cursor *b);

/* Reads the cursor of `log` ("booking", "hospital"); all zero if there is none. In or outside a transaction.
 */
MUST_CHECK enum status event_cursor_read(struct db *db, const char *log, struct event_cursor *out,
                                         struct error *error);

/*
 * Moves the cursor from the event at `old_seq` of the log new->log_id; *moved is false if another process
 * moved it meanwhile. old_seq 0: there was no cursor, or it stood before the first event.
 */
MUST_CHECK enum status event_cursor_move(struct db *db, const char *log, uint64_t old_seq,
                                         const struct event_cursor *new_cursor, bool *moved,
                                         struct error *error);

/*
 * The two services have agreed that the event at the cursor is in the log `log_id` as it is in `era` of the
 * other database. What was received in another era, and not fetched from there on since, is not applied any
 * more. Inside the transaction of that agreement.
 */
MUST_CHECK enum status event_cursor_enter_era(struct db *db, const char *log, const struct uuid *log_id,
                                              int64_t era, struct error *error);

/* Deletes the cursor of `log`, if there is one. In or outside a transaction. */
MUST_CHECK enum status event_cursor_forget(struct db *db, const char *log, struct error *error);

/*
 * Sets the cursor back to an earlier event of its log, seq 0: to before the first, and the era is forgotten.
 * The subscriber finds out by itself, sooner after event_subscriber_reread.
 */
MUST_CHECK enum status event_cursor_rewind(struct db *db, const char *log, uint64_t seq,
                                           const struct uuid *event_id, struct error *error);

#endif
