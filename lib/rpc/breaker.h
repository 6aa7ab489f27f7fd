/*
 * A circuit breaker. When too many of the latest calls to a server have failed, it lets no calls through for
 * a while, so that callers fail fast and the server can recover.
 *
 *   CLOSED --too many failures in the window--> OPEN --open_ms later, with the next call--> HALF_OPEN
 *      ^                                         ^                                           |    |
 *      |                                         \------------a probe failed-----------------/    |
 *      \-----------------------------`probes` successes in a row---------------------------------/
 *
 * Pure: the caller passes the time, and nothing is locked. One owner at a time.
 */
#ifndef SCREENING_RPC_BREAKER_H
#define SCREENING_RPC_BREAKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* The values are exported by the metric rpc_breaker_state. */
enum breaker_state { BREAKER_CLOSED = 0, BREAKER_HALF_OPEN = 1, BREAKER_OPEN = 2 };

struct breaker_options {
    /* How far back calls count; 0 = no breaker, so that every call is let through. */
    uint32_t window_ms;
    uint32_t min_calls; /* the breaker stays closed while the window has fewer calls */
    /* The breaker opens when at least this share of the calls in the window failed. */
    uint32_t failure_percent;
    uint32_t open_ms; /* how long the breaker stays open */
    /* Maximum calls in flight while half-open; the breaker closes after this many successes in a row. */
    uint32_t probes;
    uint32_t fair_ms; /* a call that had less time than this is not blamed on the server; see breaker_judge */
};

/* How the breaker counts the outcome of a call. */
enum breaker_outcome { BREAKER_SUCCESS, BREAKER_FAILURE, BREAKER_NOTHING };

/* Numbers of calls, by outcome. */
struct breaker_count {
    size_t successes, failures, nothing;
};

enum { BREAKER_BUCKETS = 10 };

struct breaker {
    struct breaker_options options;
    enum breaker_state state;
    uint64_t era; /* incremented on every change of state; results of calls from an earlier era are ignored */
    struct breaker_bucket {
        int64_t number; /* number of the time slice that the counts are for */
        size_t successes, failures;
    } buckets[BREAKER_BUCKETS];
    int64_t probe_ns; /* while open: when probing may start */
    size_t probing;   /* while half-open: probes in flight */
    size_t streak;    /* while half-open: successes in a row */
};

/* Starts closed, with an empty window. */
void breaker_init(struct breaker *breaker, const struct breaker_options *options);

/*
 * Returns how many of `wanted` calls may be made now. This is all of them while closed, none while open, and
 * as many as there are probes left while half-open. The caller must record each of them, with the *era
 * returned here.
 */
size_t breaker_admit(struct breaker *breaker, size_t wanted, int64_t now_ns, uint64_t *era);

/* Records the outcomes of calls that were let through in `era`. */
void breaker_record(struct breaker *breaker, uint64_t era, const struct breaker_count *count, int64_t now_ns);

/* Returns how many calls may be made now. SIZE_MAX means no limit. */
size_t breaker_room(const struct breaker *breaker, int64_t now_ns);

/*
 * Returns the milliseconds, rounded up, until a call may be made, or 0 if it may be made now. While half-open
 * with every probe in flight this is a guess, because the end of a probe cannot be known.
 */
uint32_t breaker_wait_ms(const struct breaker *breaker, int64_t now_ns);

/* Returns the numbers of calls in the window. */
struct breaker_count breaker_window(const struct breaker *breaker, int64_t now_ns);

/*
 * Classifies the outcome of one call. UNAVAILABLE, DEADLINE_EXCEEDED and INTERNAL are failures. Replies with
 * which the server put the call off (DRAINING, NOT_READY, RECOVERING, RESOURCE_EXHAUSTED) count as nothing.
 * Any other reply, even a refusal, shows that the server works.
 *
 * `had_ms` is the time that the server had or, if the message never left, the time that the call waited for a
 * connection. If it is shorter than `fair_ms`, DEADLINE_EXCEEDED and a message that never left count as
 * nothing, because they show that the caller was in a hurry, not that the server is in trouble.
 */
enum breaker_outcome breaker_judge(enum status status, const char *reason, bool left, int64_t had_ms,
                                   uint32_t fair_ms);

#endif
