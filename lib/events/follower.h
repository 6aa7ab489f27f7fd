/*
 * Follows another service's log. Pub/sub delivers events fast but may lose some; Fetch returns all of them.
 * The transaction that commits the effects of the events also moves the cursor.
 *
 * The follower has its own thread. It submits events to the service's writer in chunks, one at a time, and
 * waits for each to commit. The service's apply function handles a chunk as follows:
 *
 *     event_chunk_begin(chunk, db, &count)     loads the cursor, skips events already applied
 *     for the `count` events at event_chunk_events(chunk): react (the service's policy)
 *     event_chunk_finish(chunk, db)            moves the cursor by compare-and-set
 *
 * A chunk carries the era of its publisher's database (era.h). A chunk is applied only if it is in the
 * cursor's era, or if the cursor's era has not changed since the follower last fetched the events after the
 * cursor. So once the services have agreed on another era (event_cursor_enter_era), no event that the
 * publisher has lost is applied, however long the event was in flight.
 *
 * A chunk that fails with an error that is not transient is submitted again event by event. An event that
 * fails alone is stored in table dead_letter, in the transaction that moves the cursor (event_chunk_begin
 * then sets the count to 0). At DEAD_LETTER_MAX letters the follower stops.
 *
 * A live follower has no database: its cursor is in memory, and it passes events to a callback. A follower
 * with a cursor outside has no database either: it passes events on to another system, which keeps them in
 * order, and the last event there is the cursor.
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

struct event_cursor;
struct event_follower;

enum { EVENT_CHUNK_MAX = 512, DEAD_LETTER_MAX = 10000 };

/* ---- a chunk, for the service's apply function ---- */

struct event_chunk {
    struct writer_command writer; /* class WRITER_EVENT */
    const char *log;              /* "booking" or "hospital" */
    const char *log_id;           /* as the publisher sent it */
    int64_t era;                  /* the publisher's era; 0 = not sent */
    /* The cursor's era when the follower last sent a Fetch for the events after the cursor. */
    int64_t from_era;
    Screening__V1__Event *const *events; /* in order of seq, without gaps */
    size_t count;
    size_t skip;         /* number of events already applied; set by event_chunk_begin */
    bool as_dead_letter; /* whether to store events[0] in dead_letter instead of applying it */
    /*
     * Whether events[0] is replayed from dead_letter. If so, the cursor is not used, and success deletes the
     * row.
     */
    bool replay;
    const char *dead_letter_reason;
    uint64_t cursor_seq; /* set by event_chunk_begin */
};

/*
 * Loads the cursor. Call it inside the transaction. Sets *count to the number of events to apply, starting at
 * event_chunk_events. *count is 0 if all events were already applied, or if there is a dead letter to store.
 * If the chunk does not fit the cursor (because another process has moved the cursor, the cursor was moved
 * back, or the eras differ), refuses only this chunk: *count is 0, and the outcome of the chunk's command is
 * ABORTED.
 */
MUST_CHECK enum status event_chunk_begin(struct event_chunk *chunk, struct db *db, size_t *count,
                                         struct error *error);
Screening__V1__Event *const *event_chunk_events(const struct event_chunk *chunk);

/*
 * Returns whether event_chunk_finish will move the cursor, which then enters the chunk's era. Call it after
 * event_chunk_begin.
 */
bool event_chunk_moves_cursor(const struct event_chunk *chunk);

/*
 * Moves the cursor, and stores the dead letter if there is one. For a replay, only deletes the row of the
 * letter. Returns ABORTED if another process has already moved the cursor or deleted the row.
 */
MUST_CHECK enum status event_chunk_finish(struct event_chunk *chunk, struct db *db, struct error *error);

/* ---- following ---- */

enum follower_state {
    FOLLOWER_CATCHING_UP,
    FOLLOWER_FOLLOWING,
    FOLLOWER_DISCONNECTED, /* from all publishers of the log */
    FOLLOWER_DIVERGED,     /* waiting for an operator, or for the followed log to come back */
    FOLLOWER_STOPPED,      /* too many dead letters; waiting for an operator */
};

/* The callbacks of a live follower. Both run on the follower's thread. */
struct event_follower_live {
    /*
     * Reports that the follower starts after `head_seq`. Called again if the log has been replaced, or has
     * lost events that were already received.
     */
    void (*begun)(void *context, uint64_t head_seq);
    void (*take)(void *context, Screening__V1__Event *const *events, size_t count);
    void *context;
};

/* The callbacks of a follower whose cursor is outside. Both run on the follower's thread and may block. */
struct event_follower_outside {
    /*
     * Sets *out to the last event that has arrived (events/cursor.h), or leaves it zero if there is none.
     * log_id and event_id are zero if they are unknown. Returns DATA_LOSS if the last event is not from
     * this log; the follower then stops as for a log that has diverged. Any other failure is retried.
     */
    enum status (*load)(void *context, struct event_cursor *out, struct error *error);
    /* Passes on events of the log `log_id`. After a failure, the follower calls `load` and continues there.
     */
    enum status (*pass_on)(void *context, const struct uuid *log_id, Screening__V1__Event *const *events,
                           size_t count, struct error *error);
    void *context;
};

/* The strings must outlive the follower. */
struct event_follower_options {
    const char *log;        /* "booking" or "hospital"; also the topic and the name of the cursor */
    const char *subscriber; /* the name of this service, such as "history-svc" */
    /*
     * The addresses for pub/sub of the publishers of the log, separated by commas (base/address_list.h). A
     * host name stands for all of its addresses. Each publisher sends only the events of its own commits.
     */
    const char *events_addresses;
    struct rpc_channel
        *channel; /* to the publisher's EventLogService; owned by the caller, must outlive the follower */
    /*
     * Must outlive the follower. If NULL, the cursor is outside if outside.load is set, otherwise the
     * follower is live. Neither uses has_effect, database_url and schema.
     */
    struct writer *writer;
    struct event_follower_outside outside;
    struct event_follower_live live;
    /*
     * Returns whether the service reacts to the event; NULL = it reacts to all events. Chunks without effects
     * are not urgent.
     */
    bool (*has_effect)(const Screening__V1__Event *event);
    const char *database_url; /* for the connection that reads the cursor */
    const char *schema;       /* the PostgreSQL schema, the same as the writer's; NULL = default */
    uint32_t silence_ms;      /* fetch after this time without a message; 0 = 3000 */
    uint32_t gap_wait_ms;     /* time to wait for missing events before fetching them; 0 = 10 */
    /*
     * The minimum time between the starts of two transactions. Events that arrive in between accumulate. The
     * first event after a pause does not wait. 0 = none.
     */
    uint32_t interval_ms;
    /* The maximum number of events per transaction; 0 = EVENT_CHUNK_MAX. At most 1000, the limit of Fetch. */
    size_t chunk_max;
};

struct event_follower_status {
    enum follower_state state;
    uint64_t applied_seq;
    uint64_t head_seq; /* the highest seq that a publisher has reported */
    int publishers;    /* number of publishers that the follower is connected to */
    uint64_t dead_letters;
    /* occurred_at of the oldest event being applied, or the time when a later head was reported; 0 = none */
    int64_t oldest_unapplied_us;
    char log_id[UUID_TEXT_SIZE]; /* empty before the first contact */
};

/*
 * Opens a follower and starts its thread. Fails like db_open, with INVALID_ARGUMENT if the address is
 * malformed, or with RESOURCE_EXHAUSTED.
 */
MUST_CHECK enum status event_follower_open(const struct event_follower_options *options,
                                           struct event_follower **out, struct error *error);

/* Stops the thread after the chunk in flight. Call it before writer_close. NULL is allowed. */
void event_follower_close(struct event_follower *follower);

/*
 * Makes the follower read the cursor again and fetch the events after it, even if the log has diverged. Call
 * it if the cursor may have been moved by anything other than the follower, or if the publisher's database
 * was replaced. Do not call it for a live follower. Any thread.
 */
void event_follower_reread(struct event_follower *follower);

void event_follower_status(struct event_follower *follower, struct event_follower_status *out);
const char *follower_state_name(enum follower_state state);

/*
 * Writes the reason why the log is degraded to `out`, such as "hospital log diverged" or "3 dead letters of
 * the hospital log". Returns false if the log is not degraded.
 */
bool event_follower_degraded(struct event_follower *follower, char *out, size_t size);

/* ---- operations for the operator ---- */

/*
 * Deletes the service's own data about the log. lib/events deletes the rest. Runs inside the caller's
 * transaction.
 */
typedef enum status (*event_forget_fn)(struct db *db, struct error *error);

/*
 * Gives up `log`, for --follow-log-from-start. In one transaction, deletes its cursor, its dead letters and
 * the paired era, and calls `forget` (may be NULL) for the service's own data. After its next start, the
 * service follows the log from the beginning, whatever its log_id. Returns the statuses of db.h and of
 * `forget`.
 */
MUST_CHECK enum status event_log_give_up(struct db *db, const char *log, event_forget_fn forget,
                                         struct error *error);

/* Like event_log_give_up, but inside the caller's transaction. The follower detects the change. */
MUST_CHECK enum status event_log_forget(struct db *db, const char *log, event_forget_fn forget,
                                        struct error *error);

/*
 * Moves the cursor of `log` back to an earlier event, inside the caller's transaction. A seq of 0 moves it
 * before the first event. Deletes the dead letters of later events: those that the log still has arrive
 * again, and those that it has lost must not be replayed. The follower detects the change, sooner if
 * event_follower_reread is called.
 */
MUST_CHECK enum status event_log_rewind(struct db *db, const char *log, uint64_t seq,
                                        const struct uuid *event_id, struct error *error);

/*
 * Applies every dead letter again through `writer`, one per transaction, in order of log and seq. A letter
 * that fails again remains stored. Sets *applied and *left to the number of letters applied and the number
 * that remain. Used for --replay-dead-letters.
 */
MUST_CHECK enum status dead_letters_replay(struct writer *writer, const char *database_url,
                                           const char *schema, size_t *applied, size_t *left,
                                           struct error *error);

#endif
