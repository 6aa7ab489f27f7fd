/*
 * Decides which calls may be retried, and at what rate. The retry budget is a token bucket per server. Each
 * call adds a share of a retry to it, and min_per_s retries are added per second. So retries cannot overload
 * a failing server, but a client that makes few calls can still retry while the server restarts. Pure: the
 * caller passes in the current time, and there are no locks. base/backoff computes the pauses.
 */
#ifndef SCREENING_RPC_RETRY_H
#define SCREENING_RPC_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct retry_options {
    uint32_t percent;   /* the share of calls that may be retried */
    uint32_t min_per_s; /* retries per second that are always allowed; both options 0 = no retries */
};

struct retry_budget {
    struct retry_options options;
    int64_t tokens; /* in thousandths of a retry */
    int64_t filled_ns;
};

/* Initialises the budget as full at `now_ns`. */
void retry_budget_init(struct retry_budget *budget, const struct retry_options *options, int64_t now_ns);

/* Adds a call's share to the budget. Call this for the first attempt of a call only. */
void retry_budget_earn(struct retry_budget *budget);

/* Takes one retry from the budget. Returns false if there is none now. */
bool retry_budget_take(struct retry_budget *budget, int64_t now_ns);

/*
 * Returns whether the call was refused before anything was executed: true for DRAINING, NOT_READY, RECOVERING
 * and RESOURCE_EXHAUSTED.
 */
bool retry_was_refused(enum status status, const char *reason);

/*
 * Returns whether another backend may serve the call at once, because this one refused it for its own state
 * before it executed anything: true for DRAINING and NOT_READY.
 */
bool retry_elsewhere(enum status status, const char *reason);

/*
 * Returns whether the server certainly executed nothing, because the message never left or the server refused
 * the call.
 */
bool retry_is_harmless(enum status status, const char *reason, bool left);

/*
 * Returns whether a retry of a failed call is safe and may succeed. The status must be UNAVAILABLE, or
 * RESOURCE_EXHAUSTED with retry_after_ms. In addition, the server must have executed nothing, or the call
 * must be idempotent.
 */
bool retry_may_help(const struct error *error, bool left, bool idempotent);

#endif
