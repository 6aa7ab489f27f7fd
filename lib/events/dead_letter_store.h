/*
 * The SQL of table dead_letter. It holds events that this service cannot apply for a reason in the event
 * itself.
 */
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

/* The position of a letter in the order of replay. */
struct dead_letter_key {
    char log[LOG_NAME_SIZE];
    struct uuid log_id;
    uint64_t seq;
};

/* Counts the dead letters of `log`, or of all logs if it is NULL. */
MUST_CHECK enum status dead_letter_count(struct db *db, const char *log, uint64_t *out, struct error *error);

/* Stores the event. A letter with the same key belongs to a lost tail of the log and is replaced. */
MUST_CHECK enum status dead_letter_insert(struct db *db, const char *log, const struct uuid *log_id,
                                          const Screening__V1__Event *event, const char *reason,
                                          struct error *error);

MUST_CHECK enum status dead_letter_exists(struct db *db, const struct dead_letter_key *key, bool *out,
                                          struct error *error);

/* Deletes a letter. Sets *deleted to false if another process has deleted it. */
MUST_CHECK enum status dead_letter_delete(struct db *db, const struct dead_letter_key *key, bool *deleted,
                                          struct error *error);

/* Deletes every letter of `log`, under any log_id. */
MUST_CHECK enum status dead_letter_forget(struct db *db, const char *log, struct error *error);

/* Deletes the letters of `log` that come after `seq`. */
MUST_CHECK enum status dead_letter_forget_after(struct db *db, const char *log, uint64_t seq,
                                                struct error *error);

/*
 * Reads the letter that follows *key in the order of replay. Its packed event goes into `event`, its key into
 * *key. Returns NOT_FOUND after the last letter. An all-zero key comes before the first.
 */
MUST_CHECK enum status dead_letter_next(struct db *db, struct dead_letter_key *key, struct buffer *event,
                                        struct error *error);

#endif
