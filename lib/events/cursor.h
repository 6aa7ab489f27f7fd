/*
 * The cursor records the last event of another service's log that this service has applied, and an era of the
 * other database in which the log contains that event. If the other database is restored from a backup,
 * events that it has lost may still be in flight. Those events follow the cursor but carry another era, so
 * event_chunk_begin refuses them.
 *
 * event_chunk_finish and event_cursor_enter_era write the cursor, event_cursor_rewind moves it back, and
 * event_log_forget deletes it.
 */
#ifndef SCREENING_EVENTS_CURSOR_H
#define SCREENING_EVENTS_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "base/uuid.h"
#include "db/db.h"

/* The last event applied. Before the first event, seq is 0 and event_id is zero. */
struct event_cursor {
    struct uuid log_id;
    uint64_t seq;
    struct uuid event_id;
    int64_t era; /* 0 = unknown: the publisher is too old to send it, or there is no cursor yet */
};

bool event_cursor_equal(const struct event_cursor *a, const struct event_cursor *b);

/*
 * Reads the cursor of `log` ("booking", "hospital"). Sets *out to zero if there is none. May be called inside
 * or outside a transaction.
 */
MUST_CHECK enum status event_cursor_read(struct db *db, const char *log, struct event_cursor *out,
                                         struct error *error);

/*
 * Moves the cursor of `log` from `old_seq` to *new_cursor. If another process has moved the cursor in the
 * meantime, changes nothing and sets *moved to false. An `old_seq` of 0 means that there was no cursor, or
 * that the cursor was before the first event.
 */
MUST_CHECK enum status event_cursor_move(struct db *db, const char *log, uint64_t old_seq,
                                         const struct event_cursor *new_cursor, bool *moved,
                                         struct error *error);

/*
 * Records the era on which the two services have agreed. In `era` of the other database, the log `log_id`
 * contains the event at the cursor. From then on, an event of another era is applied only if it was fetched
 * from this cursor after the agreement. Call it in the transaction that records the agreement.
 */
MUST_CHECK enum status event_cursor_enter_era(struct db *db, const char *log, const struct uuid *log_id,
                                              int64_t era, struct error *error);

/* Deletes the cursor of `log` if there is one. May be called inside or outside a transaction. */
MUST_CHECK enum status event_cursor_forget(struct db *db, const char *log, struct error *error);

/*
 * Moves the cursor of `log` back to an earlier event. A seq of 0 moves it before the first event and clears
 * the era. Use event_log_rewind instead, which also deletes dead letters.
 */
MUST_CHECK enum status event_cursor_rewind(struct db *db, const char *log, uint64_t seq,
                                           const struct uuid *event_id, struct error *error);

#endif
