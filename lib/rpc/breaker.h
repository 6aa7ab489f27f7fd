/*
 * A circuit breaker: when too many of the latest calls to a server failed, none are made for a while, so
 * that callers get their answer at once and the server gets a rest.
 *
 *   CLOSED --too many failures in the window--> OPEN --open_ms later, with the next call--> HALF_OPEN
 *      ^                                         ^                                           |    |
 *      |                                         \------------a probe failed-----------------/    |
 *      \-----------------------------`probes` successes in a row---------------------------------/
 *
 * Pure: the clock is handed in, nothing is locked. One owner at a time.
 */
#ifndef SCREENING_RPC_BREAKER_H
#define SCREENING_RPC_BREAKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* The numbers are those of the metric. */
enum breaker_state { BREAKER_CLOSED = 0, BREAKER_HALF_OPEN = 1, BREAKER_OPEN = 2 };

struct breaker_options {
    uint32_t window_ms;       /* how far back calls count; 0 = there is no breaker, every call may be made */
    uint32_t min_calls;       /* in the window, before anything is concluded */
    uint32_t failure_percent; /* of the calls in the window: so many open it */
    uint32_t open_ms;         /* how long no call is made */
    uint32_t probes;  /* calls in flight at most while half-open; so many successes in a row close it */
    uint32_t fair_ms; /* what a call must have had before its want of an answer counts; breaker_judge */
};

/* How the outcome of a call counts. */
enum breaker_outcome { BREAKER_SUCCESS, BREAKER_FAILURE, BREAKER_NOTHING };

/* Calls by outcome. */
struct breaker_count {
    size_t successes, failures, nothing;
};

enum { BREAKER_BUCKETS = 10 };

struct breaker {
    struct breaker_options options;
    enum breaker_state state;
    uint64_t era; /* goes up with every change of state: what was let through before counts no more */
    struct breaker_bucket {
        int64_t number; /* of the time slice it counts */
        size_t successes, failures;
    } buckets[BREAKER_BUCKETS];
    int64_t probe_ns; /* while open: when it ends */
    size_t probing;   /* while half-open: in flight */
    size_t streak;    /* while half-open: successes in a row */
};

/* Closed, with an empty window. */
void breaker_init(struct breaker *breaker, const struct breaker_options *options);

/*
 * How many of `wanted` calls may be made now: all while closed, none while open, while half-open as many as
 * there are probes left. Each of them must be recorded, with the *era returned here.
 */
size_t breaker_admit(struct breaker *breaker, size_t wanted, int64_t now_ns, uint64_t *era);

/* Calls that were let through in `era` have ended. */
void breaker_record(struct breaker *breaker, uint64_t era, const struct breaker_count *count, int64_t now_ns);

/* How many calls may be made now; SIZE_MAX = any number. */
size_t breaker_room(const struct breaker *breaker, int64_t now_ns);

/*
 * Milliseconds, rounded up, until a call may be made: 0 = now. While half-open with every probe in flight, a
 * guess: how these end is not known.
 */
uint32_t breaker_wait_ms(const struct breaker *breaker, int64_t now_ns);

/* The calls in the window. */
struct breaker_count breaker_window(const struct breaker *breaker, int64_t now_ns);

/*
 * How the outcome of one call counts. Failures are UNAVAILABLE, DEADLINE_EXCEEDED and INTERNAL; what the
 * server did not want to take now (DRAINING, NOT_READY, RECOVERING, RESOURCE_EXHAUSTED) counts as nothing;
 * every other answer, a refusal too, shows that it works. `had_ms`: how long the server had, or was waited
 * for when the message never left. When that was shorter than `fair_ms`, DEADLINE_EXCEEDED and a message that
 * never left count as nothing: they tell of a caller in a hurry, not of the server.
 */
enum breaker_outcome breaker_judge(enum status status, const char *reason, bool left, int64_t had_ms,
                                   uint32_t fair_ms);

#endif
