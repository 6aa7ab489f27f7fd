/*
 * The cursor records how far this service has applied another service's log, and in which era of the other
 * database. As of that era, the log contains the event at the cursor. After the other database has gone back,
 * events that it lost may still be in flight. They follow the cursor but carry another era, so
 * event_chunk_begin refuses them.
 *
 * event_chunk_finish and event_cursor_enter_era write the row, event_cursor_rewind sets it back, and
 * event_log_give_up deletes it.
 */
#ifndef SCREENING_EVENTS_CURSOR_H
#define SCREENING_EVENTS_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "base/uuid.h"
#include "db/db.h"

/* The last event applied. All zero before the first one. */
struct event_cursor {
    struct uuid log_id;
    uint64_t seq;
    struct uuid event_id;
    int64_t era; /* 0 = unknown: the publisher is too old to send it, or there is no cursor yet */
};

bool event_cursor_equal(const struct event_cursor *a, const struct event_cursor *b);

/*
 * Reads the cursor of `log` ("booking", "hospital"). It is all zero if there is none. Inside or outside a
 * transaction.
 */
MUST_CHECK enum status event_cursor_read(struct db *db, const char *log, struct event_cursor *out,
                                         struct error *error);

/*
 * Moves the cursor from the event at `old_seq` of the log new->log_id. Sets *moved to false if another
 * process has moved it in the meantime. old_seq is 0 if there was no cursor, or if it was before the first
 * event.
 */
MUST_CHECK enum status event_cursor_move(struct db *db, const char *log, uint64_t old_seq,
                                         const struct event_cursor *new_cursor, bool *moved,
                                         struct error *error);

/*
 * Records the era that the two services agreed on. As of `era` of the other database, the log `log_id`
 * contains the event at the cursor. An event received in another era is then applied only if it was fetched
 * from this cursor after the agreement. Call it inside the transaction of that agreement.
 */
MUST_CHECK enum status event_cursor_enter_era(struct db *db, const char *log, const struct uuid *log_id,
                                              int64_t era, struct error *error);

/* Deletes the cursor of `log` if there is one. Inside or outside a transaction. */
MUST_CHECK enum status event_cursor_forget(struct db *db, const char *log, struct error *error);

/*
 * Sets the cursor back to an earlier event of its log. A seq of 0 sets it before the first event and forgets
 * the era. Only event_log_rewind calls it, which also forgets dead letters.
 */
MUST_CHECK enum status event_cursor_rewind(struct db *db, const char *log, uint64_t seq,
                                           const struct uuid *event_id, struct error *error);

#endif
