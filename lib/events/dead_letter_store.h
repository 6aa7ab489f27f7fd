/* The SQL of table dead_letter, which holds events that failed with an error that is not transient. */
#ifndef SCREENING_EVENTS_DEAD_LETTER_STORE_H
#define SCREENING_EVENTS_DEAD_LETTER_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "base/uuid.h"
#include "db/db.h"
#include "events/buffer.h"

#include "screening/v1/event.pb-c.h"

enum { LOG_NAME_SIZE = 32 };

/* Identifies a letter. Letters are replayed in the order of their keys. */
struct dead_letter_key {
    char log[LOG_NAME_SIZE];
    struct uuid log_id;
    uint64_t seq;
};

/* Counts the dead letters of `log`, or of all logs if `log` is NULL. */
MUST_CHECK enum status dead_letter_count(struct db *db, const char *log, uint64_t *out, struct error *error);

/*
 * Stores the event as a dead letter. `reason` says why the event failed. Replaces an existing letter with the
 * same key, whose event belonged to a lost tail of the log.
 */
MUST_CHECK enum status dead_letter_insert(struct db *db, const char *log, const struct uuid *log_id,
                                          const Screening__V1__Event *event, const char *reason,
                                          struct error *error);

MUST_CHECK enum status dead_letter_exists(struct db *db, const struct dead_letter_key *key, bool *out,
                                          struct error *error);

/* Deletes a letter. Sets *deleted to false if another process has already deleted it. */
MUST_CHECK enum status dead_letter_delete(struct db *db, const struct dead_letter_key *key, bool *deleted,
                                          struct error *error);

/* Deletes every letter of `log`, whatever its log_id. */
MUST_CHECK enum status dead_letter_forget(struct db *db, const char *log, struct error *error);

/* Deletes the letters of `log` that come after `seq`. */
MUST_CHECK enum status dead_letter_forget_after(struct db *db, const char *log, uint64_t seq,
                                                struct error *error);

/*
 * Reads the letter that follows *key in replay order. Stores its packed event in `event` and its key in *key.
 * Returns NOT_FOUND after the last letter. An all-zero key precedes the first letter.
 */
MUST_CHECK enum status dead_letter_next(struct db *db, struct dead_letter_key *key, struct buffer *event,
                                        struct error *error);

#endif
