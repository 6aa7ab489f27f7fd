/* How far this service has applied another's log. The row is written by event_chunk_finish, set back by
 * event_cursor_rewind, and deleted by event_log_give_up. */
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
};

bool event_cursor_equal(const struct event_cursor *a, const struct event_cursor *b);

/* Reads the cursor of `log` ("booking", "hospital"); all zero if there is none. In or outside a transaction.
 */
MUST_CHECK enum status event_cursor_read(struct db *db, const char *log, struct event_cursor *out,
                                         struct error *error);

/*
 * Moves the cursor from the event at `old_seq` of the log new->log_id; *moved is false if another process
 * moved it meanwhile. old_seq 0: there was no cursor.
 */
MUST_CHECK enum status event_cursor_move(struct db *db, const char *log, uint64_t old_seq,
                                         const struct event_cursor *new_cursor, bool *moved,
                                         struct error *error);

/* Deletes the cursor of `log`, if there is one. In or outside a transaction. */
MUST_CHECK enum status event_cursor_forget(struct db *db, const char *log, struct error *error);

/*
 * Sets the cursor back to an earlier event of its log, seq 0: to before the first. The subscriber finds out
 * by itself, sooner after event_subscriber_reread.
 */
MUST_CHECK enum status event_cursor_rewind(struct db *db, const char *log, uint64_t seq,
                                           const struct uuid *event_id, struct error *error);

#endif
