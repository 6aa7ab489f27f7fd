/*
 * Follows another service's log: pub/sub for speed, Fetch for truth, the cursor in the same transaction as
 * the effects.
 *
 * The subscriber has a thread of its own. It hands events to the service's writer in chunks, one at a time,
 * and waits for each to be committed. The service's apply function treats a chunk like this:
 *
 *     event_chunk_begin(chunk, db, &count)     loads the cursor, skips what is already applied
 *     for the `count` events at event_chunk_events(chunk): react (its policy)
 *     event_chunk_finish(chunk, db)            moves the cursor by compare-and-set
 *
 * A chunk is of the era in which its publisher's database was (era.h). It is applied only if the cursor
 * stands in this era, or stood, when the publisher was asked for what follows it, in the one in which it
 * stands now: so nothing of a line of events that the publisher has lost is applied once the services have
 * agreed on another era (event_cursor_enter_era), however long it was on its way.
 *
 * A chunk that fails for a reason in itself is handed in again event by event; the event that fails alone
 * goes to table dead_letter with the cursor, in one transaction (event_chunk_begin then gives count 0). At
 * DEAD_LETTER_MAX the log stops.
 */
#ifndef SCREENING_EVENTS_SUBSCRIBER_H
#define SCREENING_EVENTS_SUBSCRIBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/uuid.h"
#include "db/db.h"
#include "rpc/channel.h"
#include "writer/writer.h"

#include "screening/v1/event.pb-c.h"

struct event_subscriber;

enum { EVENT_CHUNK_MAX = 512, DEAD_LETTER_MAX = 10000 };

/* ---- a chunk, as the service's apply meets it ---- */

struct event_chunk {
    struct writer_command command; /* class WRITER_EVENT */
    const char *log;               /* "booking" or "hospital" */
    const char *log_id;            /* as the publisher tells it */
    int64_t era;                   /* the publisher's; 0 = not told */
    int64_t from_era;              /* the cursor's, when the publisher was last asked for what follows it */
    Screening__V1__Event *const *events; /* in order of seq, gapless */
    size_t count;
    size_t skip;         /* set by event_chunk_begin: events already applied */
    bool as_dead_letter; /* store events[0] in dead_letter instead of applying it */
    bool replay;         /* events[0] comes from dead_letter: no cursor; its row goes with success */
    const char *dead_letter_reason;
    uint64_t cursor_seq; /* set by event_chunk_begin */
};

/*
 * Loads the cursor inside the transaction. *count = how many events are to be applied, from
 * event_chunk_events on; 0 is usual (all applied already, or a dead letter). When the cursor does not fit the
 * chunk (it was moved by another process, or set back, or stands in another era), the chunk alone is refused:
 * 0 events, and its command's outcome is ABORTED.
 */
MUST_CHECK enum status event_chunk_begin(struct event_chunk *chunk, struct db *db, size_t *count,
                                         struct error *error);
Screening__V1__Event *const *event_chunk_events(const struct event_chunk *chunk);

/* Whether event_chunk_finish is going to move the cursor, into the chunk's era. After event_chunk_begin. */
bool event_chunk_moves_cursor(const struct event_chunk *chunk);

/* Moves the cursor, or stores the dead letter, or deletes the replayed row. ABORTED if another process moved
 * it. */
MUST_CHECK enum status event_chunk_finish(struct event_chunk *chunk, struct db *db, struct error *error);

/* ---- following ---- */

enum subscriber_state {
    SUBSCRIBER_CATCHING_UP,
    SUBSCRIBER_FOLLOWING,
    SUBSCRIBER_DISCONNECTED,
    SUBSCRIBER_DIVERGED, /* waits for an operator */
    SUBSCRIBER_STOPPED,  /* too many dead letters; waits for an operator */
};

struct event_subscriber_options {
    const char *log;            /* "booking" or "hospital": topic and name of the cursor */
    const char *subscriber;     /* who we are, "history-svc" */
    const char *events_address; /* the publisher's pub/sub */
    struct rpc_channel
        *channel;          /* to the publisher's EventLogService; the caller's, must outlive the subscriber */
    struct writer *writer; /* must outlive it */
    /* Whether the service reacts to the event; NULL = to every one. Chunks without effects have no hurry. */
    bool (*has_effect)(const Screening__V1__Event *event);
    const char *database_url; /* to read the cursor at start */
    const char *schema;       /* PostgreSQL: as for the writer's connection; NULL = default */
    uint32_t silence_ms;      /* fetch when nothing was heard for so long; 0 = 3000 */
    uint32_t gap_wait_ms;     /* wait before fetching a gap; 0 = 10 */
    /* Between the beginnings of two transactions, at least: what arrives meanwhile gathers. What arrives
     * after a pause does not wait. 0 = none. */
    uint32_t interval_ms;
    size_t chunk_max; /* events of one transaction; 0 = EVENT_CHUNK_MAX; at most 1000, a Fetch's most */
};

struct event_subscriber_status {
    enum subscriber_state state;
    uint64_t applied_seq;
    uint64_t head_seq; /* the highest that was heard of */
    uint64_t dead_letters;
    int64_t oldest_unapplied_us; /* occurred_at of the oldest event known and not applied, else when the head
                                    was first heard of; 0 = none */
    char log_id[UUID_TEXT_SIZE]; /* empty before the first contact */
};

/* Starts the thread. Fails as db_open does; INVALID_ARGUMENT for a malformed address. */
MUST_CHECK enum status event_subscriber_open(const struct event_subscriber_options *options,
                                             struct event_subscriber **out, struct error *error);

/* Ends the thread after the chunk in hand. Before writer_close. NULL is allowed. */
void event_subscriber_close(struct event_subscriber *subscriber);

/* The cursor may have been moved by others than the subscriber: it is read again, and what follows it is
 * fetched. Any thread. */
void event_subscriber_reread(struct event_subscriber *subscriber);

void event_subscriber_status(struct event_subscriber *subscriber, struct event_subscriber_status *out);
const char *subscriber_state_name(enum subscriber_state state);

/* Writes why the log is degraded ("hospital log diverged", "3 dead letters of the hospital log"); false if it
 * is not. */
bool event_subscriber_degraded(struct event_subscriber *subscriber, char *out, size_t size);

/* ---- the operator's tools ---- */

/* Forgets what the service itself has noted of the log, inside the caller's transaction. */
typedef enum status (*event_forget_fn)(struct db *db, struct error *error);

/*
 * Gives `log` up, in one transaction: forgets its cursor, its dead letters, the era that was paired with, and
 * what `forget` (may be NULL) forgets, so that the next start follows the log from its beginning, with the
 * log_id that it then meets. For
 * --follow-log-from-start. Statuses are those of db.h and of `forget`.
 */
MUST_CHECK enum status event_log_give_up(struct db *db, const char *log, event_forget_fn forget,
                                         struct error *error);

/* The same inside the caller's transaction. The subscriber finds out by itself. */
MUST_CHECK enum status event_log_forget(struct db *db, const char *log, event_forget_fn forget,
                                        struct error *error);

/*
 * Applies every dead letter again, through `writer`, one per transaction, in order of log and seq; *applied
 * and *left count. A letter that fails again stays. For --replay-dead-letters.
 */
MUST_CHECK enum status dead_letters_replay(struct writer *writer, const char *database_url,
                                           const char *schema, size_t *applied, size_t *left,
                                           struct error *error);

#endif
