/*
 * Follows another service's log. Pub/sub gives speed, Fetch gives correctness, and the cursor moves in the
 * same transaction as the effects.
 *
 * The follower has its own thread. It submits events to the service's writer in chunks, one at a time, and
 * waits for each to commit. The service's apply function handles a chunk as follows:
 *
 *     event_chunk_begin(chunk, db, &count)     loads the cursor, skips events already applied
 *     for the `count` events at event_chunk_events(chunk): react (the service's policy)
 *     event_chunk_finish(chunk, db)            moves the cursor by compare-and-set
 *
 * A chunk carries the era of its publisher's database (era.h). It is applied only if the cursor is in that
 * era, or is still in the era that it had when the follower fetched what follows it. So once the services
 * have agreed on another era (event_cursor_enter_era), no event that the publisher has lost is applied,
 * however long it was in flight.
 *
 * A chunk that fails with an error that is not transient is submitted again event by event. An event that
 * fails alone goes to table dead_letter, in the transaction that moves the cursor (event_chunk_begin then
 * returns count 0). At DEAD_LETTER_MAX letters the follower stops.
 *
 * A live follower has no database: its cursor is in memory, and it passes events to a callback.
 */
#ifndef SCREENING_EVENTS_FOLLOWER_H
#define SCREENING_EVENTS_FOLLOWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/uuid.h"
#include "db/db.h"
#include "rpc/channel.h"
#include "writer/writer.h"

#include "screening/v1/event.pb-c.h"

struct event_follower;

enum { EVENT_CHUNK_MAX = 512, DEAD_LETTER_MAX = 10000 };

/* ---- a chunk, from the view of the service's apply function ---- */

struct event_chunk {
    struct writer_command command; /* class WRITER_EVENT */
    const char *log;               /* "booking" or "hospital" */
    const char *log_id;            /* as the publisher sent it */
    int64_t era;                   /* the publisher's era; 0 = it sent none */
    /* The cursor's era when the last Fetch of the events after it was sent. */
    int64_t from_era;
    Screening__V1__Event *const *events; /* in order of seq, gapless */
    size_t count;
    size_t skip;         /* number of events already applied; set by event_chunk_begin */
    bool as_dead_letter; /* whether to store events[0] in dead_letter instead of applying it */
    bool replay;         /* whether events[0] comes from dead_letter: no cursor; success deletes its row */
    const char *dead_letter_reason;
    uint64_t cursor_seq; /* set by event_chunk_begin */
};

/*
 * Loads the cursor inside the transaction. Sets *count to the number of events to apply, starting at
 * event_chunk_events. 0 is normal (all already applied, or a dead letter). If the cursor does not fit the
 * chunk (another process moved it, it was set back, or it is in another era), only the chunk is refused:
 * *count is 0 and its command's outcome is ABORTED.
 */
MUST_CHECK enum status event_chunk_begin(struct event_chunk *chunk, struct db *db, size_t *count,
                                         struct error *error);
Screening__V1__Event *const *event_chunk_events(const struct event_chunk *chunk);

/*
 * Returns whether event_chunk_finish will move the cursor, into the chunk's era. Call it after
 * event_chunk_begin.
 */
bool event_chunk_moves_cursor(const struct event_chunk *chunk);

/*
 * Moves the cursor, or stores the dead letter, or deletes the replayed row. Returns ABORTED if another
 * process was faster.
 */
MUST_CHECK enum status event_chunk_finish(struct event_chunk *chunk, struct db *db, struct error *error);

/* ---- following ---- */

enum follower_state {
    FOLLOWER_CATCHING_UP,
    FOLLOWER_FOLLOWING,
    FOLLOWER_DISCONNECTED,
    FOLLOWER_DIVERGED, /* waiting for an operator, or for the log that it followed */
    FOLLOWER_STOPPED,  /* too many dead letters; waiting for an operator */
};

/* The callbacks of a live follower. Both run on the follower's thread. */
struct event_follower_live {
    /*
     * Reports that the follower starts after `head_seq`. Is called again when the log was replaced, or lost
     * events that were taken.
     */
    void (*begun)(void *context, uint64_t head_seq);
    void (*take)(void *context, Screening__V1__Event *const *events, size_t count);
    void *context;
};

/* The texts must outlive the follower. */
struct event_follower_options {
    const char *log;            /* "booking" or "hospital", the topic and the name of the cursor */
    const char *subscriber;     /* this service, "history-svc" */
    const char *events_address; /* the publisher's address for pub/sub */
    struct rpc_channel
        *channel; /* to the publisher's EventLogService; owned by the caller, must outlive the follower */
    /* Must outlive the follower; if NULL, only `live`, the channel and the times count. */
    struct writer *writer;
    struct event_follower_live live;
    /*
     * Returns whether the service reacts to the event. NULL = it reacts to all. Chunks without effects are
     * not urgent.
     */
    bool (*has_effect)(const Screening__V1__Event *event);
    const char *database_url; /* to read the cursor at start */
    const char *schema;       /* the schema on PostgreSQL, as for the writer's connection; NULL = default */
    uint32_t silence_ms;      /* time without a message after which to fetch; 0 = 3000 */
    uint32_t gap_wait_ms;     /* time to wait before fetching a gap; 0 = 10 */
    /*
     * The minimum time between the starts of two transactions. Events that arrive in between accumulate. The
     * first event after a pause does not wait. 0 = none.
     */
    uint32_t interval_ms;
    size_t chunk_max; /* events per transaction; 0 = EVENT_CHUNK_MAX; at most 1000, the limit of Fetch */
};

struct event_follower_status {
    enum follower_state state;
    uint64_t applied_seq;
    uint64_t head_seq; /* the highest seq that the publisher has reported */
    uint64_t dead_letters;
    int64_t oldest_unapplied_us; /* occurred_at of the oldest event being applied, otherwise when the head was
                                    first reported; 0 = none */
    char log_id[UUID_TEXT_SIZE]; /* empty before the first contact */
};

/* Starts the thread. Fails like db_open, and with INVALID_ARGUMENT for a malformed address. */
MUST_CHECK enum status event_follower_open(const struct event_follower_options *options,
                                           struct event_follower **out, struct error *error);

/* Stops the thread after the chunk in flight. Call it before writer_close. NULL is allowed. */
void event_follower_close(struct event_follower *follower);

/*
 * Makes the follower read the cursor again and fetch the events after it, even if the log had diverged. Call
 * it after something other than the follower may have moved the cursor, or after the publisher's database was
 * replaced. Not for a live follower. Any thread.
 */
void event_follower_reread(struct event_follower *follower);

void event_follower_status(struct event_follower *follower, struct event_follower_status *out);
const char *follower_state_name(enum follower_state state);

/*
 * Writes why the log is degraded ("hospital log diverged", "3 dead letters of the hospital log"). Returns
 * false if it is not.
 */
bool event_follower_degraded(struct event_follower *follower, char *out, size_t size);

/* ---- the operator's tools ---- */

/* Forgets everything that the service itself has stored about the log, inside the caller's transaction. */
typedef enum status (*event_forget_fn)(struct db *db, struct error *error);

/*
 * Gives `log` up, in one transaction. Deletes its cursor, its dead letters and the paired era, and calls
 * `forget` (may be NULL) for the service's own data. The next start then follows the log from its beginning,
 * with the log_id that it finds there. For --follow-log-from-start. Returns the statuses of db.h and of
 * `forget`.
 */
MUST_CHECK enum status event_log_give_up(struct db *db, const char *log, event_forget_fn forget,
                                         struct error *error);

/* Gives `log` up inside the caller's transaction. The follower notices on its own. */
MUST_CHECK enum status event_log_forget(struct db *db, const char *log, event_forget_fn forget,
                                        struct error *error);

/*
 * Sets the cursor of `log` back to an earlier event, inside the caller's transaction, and forgets the dead
 * letters after it. An event that the log still has becomes a dead letter again, and one that the log has
 * lost must not be replayed. A seq of 0 sets the cursor before the first event. The follower notices on its
 * own, sooner after event_follower_reread.
 */
MUST_CHECK enum status event_log_rewind(struct db *db, const char *log, uint64_t seq,
                                        const struct uuid *event_id, struct error *error);

/*
 * Applies every dead letter again through `writer`, one per transaction, in order of log and seq. Sets
 * *applied and *left to the numbers of letters. A letter that fails again stays. For --replay-dead-letters.
 */
MUST_CHECK enum status dead_letters_replay(struct writer *writer, const char *database_url,
                                           const char *schema, size_t *applied, size_t *left,
                                           struct error *error);

#endif
