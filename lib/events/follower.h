/*
 * The subscriber's inside. Its thread is follow.c; what it does stands in catch_up.c (Fetch) and apply.c
 * (chunks).
 */
#ifndef SCREENING_EVENTS_FOLLOWER_H
#define SCREENING_EVENTS_FOLLOWER_H

#include "cursor.h"
#include "inbox.h"
#include "monitor.h"
#include "subscriber.h"

#include <nng/nng.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/backoff.h"

enum { HELD_MAX = 64 };

/* A batch that came before one that it follows. */
struct held_batch {
    nng_msg *message;
    uint64_t first_seq;
};

/* What others may ask for; guarded by the monitor. */
struct progress {
    enum subscriber_state halted; /* SUBSCRIBER_DIVERGED or _STOPPED; anything else: it goes on */
    bool caught_up;
    uint64_t applied_seq;
    uint64_t head_seq;
    uint64_t dead_letters;
    int64_t head_heard_us;     /* since when a head beyond applied_seq is known; 0 = none is */
    int64_t oldest_in_hand_us; /* occurred_at of the first event that is being applied; 0 = none is */
    struct uuid log_id;
};

struct event_subscriber {
    char *log;
    char *name;
    struct writer *writer;
    bool (*has_effect)(const Screening__V1__Event *event); /* NULL: every one */
    struct rpc_channel *channel;
    int64_t silence_ns;
    int64_t gap_wait_ns;
    size_t chunk_max;
    int64_t interval_ns;
    pthread_t thread;
    struct monitor monitor;
    struct inbox inbox;
    /* guarded by the monitor */
    bool closing;
    bool reread; /* the cursor may stand elsewhere */
    struct progress progress;
    /* the thread's own */
    struct db *db; /* reads the cursor */
    struct rpc_client *client;
    struct event_cursor cursor; /* the last event applied */
    struct event_cursor end;    /* the last event taken in */
    int64_t era;                /* the publisher's, as the last answer to Fetch told it: of what is applied */
    int64_t from_era;           /* the cursor's, as that Fetch was sent, or since it was moved into `era` */
    int64_t asked_from_era;     /* the cursor's when a Fetch is sent */
    struct arena arena;         /* of the events taken in */
    Screening__V1__Event **run; /* those events, gapless after the cursor */
    size_t run_count;
    size_t run_capacity;
    struct held_batch held[HELD_MAX];
    size_t held_count;
    int64_t take_in_ns; /* before, what arrives is left to gather */
    int64_t gap_ns;     /* when a gap shall be fetched; 0 = none is known */
    int64_t fetch_ns;   /* when to fetch for another reason; 0 = none */
    int64_t fetched_ns; /* when the last fetch ended */
    struct backoff fetch_backoff;
    bool fetch_failing; /* logged already */
    bool apply_failing; /* the same */
};

/* ---- follower.c: what all parts need. On the thread ---- */

bool follower_closing(struct event_subscriber *follower);

/* Both connections to the publisher: to be called about every second while one of them is missing. */
void follower_look_after_connections(struct event_subscriber *follower);

/* Waits; false if the subscriber is closed meanwhile. */
bool follower_sleep(struct event_subscriber *follower, int64_t pause_ns);

/* Applies nothing any more; logged once, here. A log that diverged goes on once the cursor was set back. */
void follower_halt(struct event_subscriber *follower, enum subscriber_state state, const char *why);
void follower_resume(struct event_subscriber *follower);
bool follower_halted(struct event_subscriber *follower);

void follower_note_head(struct event_subscriber *follower, uint64_t head_seq);

/* The publisher's head is no higher than that, whatever was heard of before. */
void follower_lower_head(struct event_subscriber *follower, uint64_t head_seq);

/* The cursor, as committed, stands there now. */
void follower_note_cursor(struct event_subscriber *follower, const struct event_cursor *cursor);

/* The same if it may stand before where it stood. */
void follower_move_cursor(struct event_subscriber *follower, const struct event_cursor *cursor);

/* Reads where the cursor stands; true if that is elsewhere than it was known to. */
bool follower_reread(struct event_subscriber *follower);

void follower_note_dead_letter(struct event_subscriber *follower);

/* Unless a fetch is due earlier. */
void follower_fetch_at(struct event_subscriber *follower, int64_t at_ns);

/* ---- the parts ---- */

enum apply_result {
    APPLY_DONE,  /* all of them are committed */
    APPLY_LOST,  /* the cursor stands elsewhere: fetch */
    APPLY_ENDED, /* closing, or halted */
};

/* Applies events that follow the cursor, in chunks, each for as long as it takes. */
MUST_CHECK enum apply_result follower_apply(struct event_subscriber *follower,
                                            Screening__V1__Event *const *events, size_t count);

/* Fetches and applies until the publisher's head is reached, or something fails and is to be tried again
 * later. */
void follower_catch_up(struct event_subscriber *follower);

/* The thread. */
void *follower_run(void *context);

#endif
