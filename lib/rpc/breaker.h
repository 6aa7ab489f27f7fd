/*
 * A circuit breaker. When too many of the latest calls to a server have failed, the breaker lets no calls
 * through for a while, so that callers fail fast and the server can recover.
 *
 *   CLOSED --too many failures in the window--> OPEN --open_ms later, with the next call--> HALF_OPEN
 *      ^                                         ^                                           |    |
 *      |                                         \------------a probe failed-----------------/    |
 *      \-----------------------------`probes` successes in a row---------------------------------/
 *
 * Pure: the caller passes in the current time, and there are no locks. Not thread-safe.
 */
#ifndef SCREENING_RPC_BREAKER_H
#define SCREENING_RPC_BREAKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* The metric rpc_breaker_state exports these values. */
enum breaker_state { BREAKER_CLOSED = 0, BREAKER_HALF_OPEN = 1, BREAKER_OPEN = 2 };

struct breaker_options {
    /* The length of the window; 0 = no breaker: every call is let through. */
    uint32_t window_ms;
    uint32_t min_calls; /* the breaker stays closed while the window has fewer calls */
    /* The breaker opens when at least this percentage of the calls in the window have failed. */
    uint32_t failure_percent;
    uint32_t open_ms; /* how long the breaker stays open */
    /*
     * While half-open: the maximum number of calls in flight, and the number of successes in a row that
     * closes the breaker.
     */
    uint32_t probes;
    /* A call that had less time than this may fail through no fault of the server; see breaker_judge. */
    uint32_t fair_ms;
};

/* How the breaker counts the outcome of a call. */
enum breaker_outcome { BREAKER_SUCCESS, BREAKER_FAILURE, BREAKER_NOTHING };

/* Call counts by outcome. */
struct breaker_count {
    size_t successes, failures, nothing;
};

enum { BREAKER_BUCKETS = 10 };

struct breaker {
    struct breaker_options options;
    enum breaker_state state;
    uint64_t era; /* incremented on every change of state; results of calls from an earlier era are ignored */
    struct breaker_bucket {
        int64_t number; /* number of the time slice that the counts belong to */
        size_t successes, failures;
    } buckets[BREAKER_BUCKETS];
    int64_t probe_ns; /* while open: when probing may start */
    size_t probing;   /* while half-open: probes in flight */
    size_t streak;    /* while half-open: successes in a row */
};

/* Initialises the breaker as closed, with an empty window. */
void breaker_init(struct breaker *breaker, const struct breaker_options *options);

/*
 * Returns how many of `wanted` calls may be made now: all of them while closed, none while open, and up to
 * the number of free probes while half-open. An open breaker becomes half-open on the first call to this
 * function after open_ms. The caller must record the outcome of each admitted call with the *era returned
 * here.
 */
size_t breaker_admit(struct breaker *breaker, size_t wanted, int64_t now_ns, uint64_t *era);

/* Records the outcomes of calls that were admitted in `era`. */
void breaker_record(struct breaker *breaker, uint64_t era, const struct breaker_count *count, int64_t now_ns);

/* Returns how many calls may be made now. SIZE_MAX means no limit. */
size_t breaker_room(const struct breaker *breaker, int64_t now_ns);

/*
 * Returns the time in ms, rounded up, until a call may be made, or 0 if one may be made now. While half-open
 * with every probe in flight, the result is an estimate, because it is not known when a probe will end.
 */
uint32_t breaker_wait_ms(const struct breaker *breaker, int64_t now_ns);

/* Returns the numbers of successes and of failures in the window. */
struct breaker_count breaker_window(const struct breaker *breaker, int64_t now_ns);

/*
 * Classifies the outcome of one call. UNAVAILABLE, DEADLINE_EXCEEDED and INTERNAL are failures. A temporary
 * refusal (DRAINING, NOT_READY, RECOVERING, RESOURCE_EXHAUSTED) is not counted (BREAKER_NOTHING). Any other
 * reply, even a refusal, is a success, because it shows that the server works.
 *
 * `had_ms` is the time that the server had or, if the message never left, the time that the call waited for a
 * connection. If `had_ms` is less than `fair_ms`, DEADLINE_EXCEEDED and a message that never left are not
 * counted either, because the cause may be the short time rather than the server.
 */
enum breaker_outcome breaker_judge(enum status status, const char *reason, bool left, int64_t had_ms,
                                   uint32_t fair_ms);

#endif
