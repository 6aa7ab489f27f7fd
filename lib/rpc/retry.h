/*
 * What may be sent again, and how often: a token bucket per server, filled by a share of the calls made and
 * by a small steady rate, so that a server in trouble is not asked ever more, and a quiet client can still
 * ride out the server's restart. Pure: the clock is handed in, nothing is locked. The pauses are those of
 * base/backoff.
 */
#ifndef SCREENING_RPC_RETRY_H
#define SCREENING_RPC_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct retry_options {
    uint32_t percent;   /* of the calls made may be sent again */
    uint32_t min_per_s; /* retries a second that are allowed in any case; both 0: nothing is sent again */
};

struct retry_budget {
    struct retry_options options;
    int64_t tokens; /* in thousandths of a retry */
    int64_t filled_ns;
};

/* Full at `now_ns`. */
void retry_budget_init(struct retry_budget *budget, const struct retry_options *options, int64_t now_ns);

/* A call was made for the first time. */
void retry_budget_earn(struct retry_budget *budget);

/* Takes the token for one retry; false: there is none now. */
bool retry_budget_take(struct retry_budget *budget, int64_t now_ns);

/* The server said that it does not take calls now and executed nothing: DRAINING, NOT_READY, RECOVERING,
 * RESOURCE_EXHAUSTED. */
bool retry_was_refused(enum status status, const char *reason);

/* Certainly nothing was executed: the message never left, or was refused. */
bool retry_is_harmless(enum status status, const char *reason, bool left);

/*
 * Whether a call that ended like this is worth sending again, and may be: it was UNAVAILABLE or refused for
 * now, and nothing was executed or it is idempotent.
 */
bool retry_may_help(const struct error *error, bool left, bool idempotent);

#endif
