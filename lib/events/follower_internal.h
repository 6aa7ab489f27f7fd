/*
 * The internals of the follower. Its thread is in follow.c, Fetch in catch_up.c, and the two kinds of cursor
 * in database_cursor.c and live_cursor.c.
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
 * The progress, which other threads may read with the lock of the monitor. Only the follower's thread writes
 * it.
 */
struct progress {
    enum follower_state halted; /* FOLLOWER_DIVERGED or _STOPPED; any other value: not halted */
    bool caught_up;
    uint64_t applied_seq;
    uint64_t head_seq;
    uint64_t dead_letters;
    int64_t head_heard_us;       /* when a head beyond applied_seq became known; 0 = none is known */
    int64_t oldest_in_flight_us; /* occurred_at of the first event that is being applied; 0 = none */
    struct uuid log_id;
};

enum apply_result {
    APPLY_DONE,  /* the cursor is after the last event */
    APPLY_LOST,  /* the cursor was moved, so fetch */
    APPLY_ENDED, /* the follower is closing, or halted */
};

/* The two ways to keep a cursor and to handle the events that follow it. On the follower's thread. */
struct cursor_kind {
    /*
     * Finds where to begin in a log that was not contacted yet. NULL = at the stored cursor, or at the first
     * event.
     */
    enum status (*load)(struct event_follower *follower, struct error *error);
    /* Reads the cursor again. Returns true if another thread or process has moved it. NULL = nobody can. */
    bool (*moved)(struct event_follower *follower);
    /* Applies events that follow the cursor, and moves it by follower_advance. */
    enum apply_result (*apply)(struct event_follower *follower, Screening__V1__Event *const *events,
                               size_t count);
    /*
     * Handles a log that does not have the cursor's event. Returns false if that counts as a Fetch that
     * failed.
     */
    bool (*lost)(struct event_follower *follower, const char *why);
    /* Logs that Fetch has begun to fail, or that it works again (STATUS_OK). */
    void (*note_fetch)(struct event_follower *follower, enum status status, const struct error *error);
};

struct event_follower {
    const struct cursor_kind *kind;
    struct event_follower_live live;
    const char *log;
    const char *name;
    struct writer *writer;                                 /* NULL if the cursor is live */
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
    /* The following members are owned by the thread. */
    struct db *db; /* reads the cursor */
    struct rpc_client *client;
    struct event_cursor cursor; /* the last event applied */
    struct event_cursor end;    /* the last event appended to `run` */
    int64_t era;                /* the publisher's era from the last Fetch reply, and of all events applied */
    /* The cursor's era when that Fetch was sent, or `era` once the cursor entered it. */
    int64_t from_era;
    int64_t asked_from_era;     /* the cursor's era when the newest Fetch was sent */
    struct arena arena;         /* holds the events in `run` */
    Screening__V1__Event **run; /* events to apply, gapless after the cursor */
    size_t run_count;
    size_t run_capacity;
    struct held_batch held[HELD_MAX];
    size_t held_count;
    int64_t take_in_ns; /* time until which arriving messages accumulate */
    int64_t gap_ns;     /* when to fetch a gap; 0 = no gap is known */
    int64_t fetch_ns;   /* when to fetch for any other reason; 0 = none */
    int64_t fetched_ns; /* when the last fetch ended */
    struct backoff fetch_backoff;
    bool fetch_failing; /* whether a failure was logged already */
    bool apply_failing; /* the same for the failure to apply */
};

/* ---- follower.c: shared by all parts. On the follower's thread ---- */

bool follower_closing(struct event_follower *follower);

/* Maintains both connections to the publisher. Call it about once a second while one of them is down. */
void follower_look_after_connections(struct event_follower *follower);

/* Stops applying events and logs that once. A diverged log resumes once it has the cursor's event. */
void follower_halt(struct event_follower *follower, enum follower_state state, const char *why);
void follower_resume(struct event_follower *follower);
bool follower_halted(const struct event_follower *follower);

void follower_note_head(struct event_follower *follower, uint64_t head_seq);

/* Lowers the known head of the publisher, even if a higher one was reported before. */
void follower_lower_head(struct event_follower *follower, uint64_t head_seq);

/* Records the committed position of the cursor. */
void follower_note_cursor(struct event_follower *follower, const struct event_cursor *cursor);

/* Like follower_note_cursor, for a cursor that may have moved backwards. */
void follower_move_cursor(struct event_follower *follower, const struct event_cursor *cursor);

/* Moves the cursor to the last event applied, in the current era. */
void follower_advance(struct event_follower *follower, const Screening__V1__Event *last);

void follower_forget_held(struct event_follower *follower);

/* Schedules a fetch at `at_ns`, unless an earlier one is due. While Fetch fails, only its backoff decides. */
void follower_fetch_at(struct event_follower *follower, int64_t at_ns);

/* ---- the parts ---- */

extern const struct cursor_kind CURSOR_IN_DATABASE, CURSOR_LIVE;

/*
 * Opens the connection that reads the cursor, and reads the cursor. destroy() closes it, even after a
 * failure.
 */
MUST_CHECK enum status database_cursor_open(struct event_follower *follower,
                                            const struct event_follower_options *options,
                                            struct error *error);

/* Requests events. Returns NULL when out of memory or without a connection. The caller ends the call. */
struct fetch_call *follower_begin_fetch(struct event_follower *follower, uint64_t after_seq,
                                        char *after_event_id, size_t max_events);

/* Waits for the reply. Returns UNAVAILABLE if `call` is NULL, and CANCELLED once the follower is closed. */
MUST_CHECK enum status follower_wait_fetch(struct event_follower *follower, struct fetch_call *call,
                                           const Screening__V1__FetchResponse **out, struct error *error);

/* Fetches and applies until it reaches the publisher's head, or until a failure that is retried later. */
void follower_catch_up(struct event_follower *follower);

/* Fetches once while the log has diverged, and applies nothing. Returns true if the log has the cursor's
 * event. A missing answer, or the same answer again, is not logged. */
MUST_CHECK bool follower_ask_again(struct event_follower *follower);

/* Runs the thread. */
void *follower_run(void *context);

#endif
