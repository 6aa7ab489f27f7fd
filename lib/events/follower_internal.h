/*
 * The internals of the follower. Its thread is in follow.c, Fetch in catch_up.c, and the kinds of cursor in
 * database_cursor.c, live_cursor.c and outside_cursor.c.
 */
#ifndef SCREENING_EVENTS_FOLLOWER_INTERNAL_H
#define SCREENING_EVENTS_FOLLOWER_INTERNAL_H

#include <nng/nng.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/backoff.h"
#include "base/monitor.h"
#include "events/cursor.h"
#include "events/fetch_client.h"
#include "events/follower.h"
#include "events/inbox.h"

enum { HELD_MAX = 64 };

/* A batch that arrived before its predecessor. */
struct held_batch {
    nng_msg *message;
    uint64_t first_seq;
};

/*
 * The follower's progress. Only the follower's thread writes it; other threads may read it with the monitor's
 * lock held.
 */
struct progress {
    enum follower_state halted; /* FOLLOWER_DIVERGED or FOLLOWER_STOPPED; any other value = not halted */
    bool caught_up;
    uint64_t applied_seq;
    uint64_t head_seq;
    uint64_t dead_letters;
    int64_t head_heard_us;       /* when a head beyond applied_seq became known; 0 = none is known */
    int64_t oldest_in_flight_us; /* occurred_at of the first event that is being applied; 0 = none */
    struct uuid log_id;
};

enum apply_result {
    APPLY_DONE,  /* the cursor is at the last event */
    APPLY_LOST,  /* the events no longer fit the cursor; fetch again */
    APPLY_ENDED, /* the follower is closing, or halted */
};

/* The operations on a kind of cursor. They are called on the follower's thread. */
struct cursor_kind {
    /*
     * Determines where to begin while the cursor's log_id is zero. It may leave the log_id zero, which
     * accepts any log. NULL = begin at the stored cursor, or at the first event.
     */
    enum status (*load)(struct event_follower *follower, struct error *error);
    /*
     * Reads the cursor again. Returns true if another thread or process has moved it. NULL = the cursor
     * cannot be moved by others.
     */
    bool (*moved)(struct event_follower *follower);
    /* Applies events that follow the cursor, and moves the cursor with follower_advance. */
    enum apply_result (*apply)(struct event_follower *follower, Screening__V1__Event *const *events,
                               size_t count);
    /*
     * Handles a log that does not have the cursor's event. Returns false if the Fetch must be treated as
     * failed.
     */
    bool (*lost)(struct event_follower *follower, const char *why);
    /* Logs that Fetch has begun to fail, or that it works again (STATUS_OK). */
    void (*note_fetch)(struct event_follower *follower, enum status status, const struct error *error);
    bool may_skip; /* whether the cursor can begin again at the head if events are missing */
};

struct event_follower {
    const struct cursor_kind *kind;
    struct event_follower_live live;
    struct event_follower_outside outside;
    const char *log;
    const char *name;
    struct writer *writer;                                 /* NULL if the cursor is not in a database */
    bool (*has_effect)(const Screening__V1__Event *event); /* NULL = every event has an effect */
    struct rpc_channel *channel;
    int64_t silence_ns;
    int64_t gap_wait_ns;
    size_t chunk_max;
    int64_t interval_ns;
    pthread_t thread;
    struct monitor monitor;
    struct inbox inbox;
    /* The following members are guarded by the monitor. */
    bool closing;
    bool reread; /* whether the cursor may have been moved */
    struct progress progress;
    /* The following members are used only by the follower's thread. */
    struct db *db; /* reads the cursor */
    struct rpc_client *client;
    struct event_cursor cursor; /* the last event applied */
    struct event_cursor end;    /* the last event appended to `run` */
    int64_t era;                /* the era of the last Fetch reply, and of all events in `run` */
    /* The cursor's era when that Fetch was sent, or `era` once the cursor has entered it. */
    int64_t from_era;
    int64_t asked_from_era;     /* the cursor's era when the newest Fetch was sent */
    struct arena arena;         /* holds the events in `run` */
    Screening__V1__Event **run; /* events to apply, without a gap after the cursor */
    size_t run_count;
    size_t run_capacity;
    struct held_batch held[HELD_MAX];
    size_t held_count;
    int64_t take_in_ns; /* arriving messages accumulate until this time */
    int64_t gap_ns;     /* when to fetch missing events; 0 = no gap is known */
    int64_t fetch_ns;   /* when to fetch for any other reason; 0 = none */
    int64_t fetched_ns; /* when the latest fetch ended */
    struct backoff fetch_backoff;
    struct backoff apply_backoff; /* of a cursor outside */
    bool fetch_failing;           /* whether Fetch is failing; only the first failure is logged */
    bool apply_failing;           /* whether applying is failing; only the first failure is logged */
};

/* ---- follower.c: functions for the follower's other source files; call them on its thread ---- */

bool follower_closing(struct event_follower *follower);

/*
 * Stops applying events, sets the state and logs `why`. A follower in state FOLLOWER_DIVERGED resumes once
 * the log contains the cursor's event.
 */
void follower_halt(struct event_follower *follower, enum follower_state state, const char *why);
void follower_resume(struct event_follower *follower);
bool follower_halted(const struct event_follower *follower);

void follower_note_head(struct event_follower *follower, uint64_t head_seq);

/* Lowers the known head of the publisher to `head_seq`, but not below the cursor. */
void follower_lower_head(struct event_follower *follower, uint64_t head_seq);

/* Records the committed position of the cursor. */
void follower_note_cursor(struct event_follower *follower, const struct event_cursor *cursor);

/* Like follower_note_cursor, for a cursor that may have moved backwards. */
void follower_move_cursor(struct event_follower *follower, const struct event_cursor *cursor);

/* Moves the cursor to `last`, the last event applied, in the current era. */
void follower_advance(struct event_follower *follower, const Screening__V1__Event *last);

/* Records that `first` and the events after it are being applied, for the lag. */
void follower_note_in_flight(struct event_follower *follower, const Screening__V1__Event *first);

/* Sleeps for `pause_ns`, or until the follower is closed. Returns false if the follower is closed. */
bool follower_sleep(struct event_follower *follower, int64_t pause_ns);

/* Logs as cursor_kind.note_fetch must. */
void follower_note_fetch(struct event_follower *follower, enum status status, const struct error *error);

void follower_forget_held(struct event_follower *follower);

/*
 * Schedules a fetch at `at_ns`, unless an earlier one is scheduled. While Fetch is failing, leaves a
 * scheduled fetch unchanged.
 */
void follower_fetch_at(struct event_follower *follower, int64_t at_ns);

/* ---- the kinds of cursor ---- */

extern const struct cursor_kind CURSOR_IN_DATABASE, CURSOR_LIVE, CURSOR_OUTSIDE;

/*
 * Opens the connection that reads the cursor, and reads the cursor. destroy() closes the connection, even
 * after a failure.
 */
MUST_CHECK enum status database_cursor_open(struct event_follower *follower,
                                            const struct event_follower_options *options,
                                            struct error *error);

/* Requests events. Returns NULL when out of memory or without a connection. The caller must end the call. */
struct fetch_call *follower_begin_fetch(struct event_follower *follower, uint64_t after_seq,
                                        char *after_event_id, size_t max_events);

/* Waits for the reply. Returns UNAVAILABLE if `call` is NULL, and CANCELLED once the follower is closed. */
MUST_CHECK enum status follower_wait_fetch(struct event_follower *follower, struct fetch_call *call,
                                           const Screening__V1__FetchResponse **out, struct error *error);

/*
 * Fetches and applies events until the publisher's head is reached or a fetch fails. A failed fetch is
 * retried later.
 */
void follower_catch_up(struct event_follower *follower);

/*
 * Fetches once while the log has diverged, and applies nothing. Returns true if the log contains the cursor's
 * event. Logs nothing.
 */
MUST_CHECK bool follower_ask_again(struct event_follower *follower);

/* The start routine of the follower's thread. `context` is the follower. */
void *follower_run(void *context);

#endif
