/*
 * Decides which calls may be retried, and how often. The retry budget is a token bucket per server, filled by
 * a share of the calls made and at a small steady rate. So retries cannot overload a server in trouble, yet a
 * quiet client can ride out the server's restart. Pure: the caller passes the time, and nothing is locked.
 * base/backoff computes the pauses.
 */
#ifndef SCREENING_RPC_RETRY_H
#define SCREENING_RPC_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct retry_options {
    uint32_t percent;   /* share of the calls made that may be retried */
    uint32_t min_per_s; /* retries per second allowed in any case; if both are 0, nothing is retried */
};

struct retry_budget {
    struct retry_options options;
    int64_t tokens; /* in thousandths of a retry */
    int64_t filled_ns;
};

/* Starts with a full budget at `now_ns`. */
void retry_budget_init(struct retry_budget *budget, const struct retry_options *options, int64_t now_ns);

/* Adds a call's share to the budget. Call it for the first attempt only. */
void retry_budget_earn(struct retry_budget *budget);

/* Takes the token for one retry. Returns false if there is none now. */
bool retry_budget_take(struct retry_budget *budget, int64_t now_ns);

/*
 * Returns true if the server refused the call for now and executed nothing, which is so for DRAINING,
 * NOT_READY, RECOVERING and RESOURCE_EXHAUSTED.
 */
bool retry_was_refused(enum status status, const char *reason);

/*
 * Returns true if the server certainly executed nothing, because the message never left or the server refused
 * it.
 */
bool retry_is_harmless(enum status status, const char *reason, bool left);

/*
 * Returns whether a failed call may be retried and is worth it. It must have been UNAVAILABLE or refused for
 * now, and either the server executed nothing or the call is idempotent.
 */
bool retry_may_help(const struct error *error, bool left, bool idempotent);

#endif
