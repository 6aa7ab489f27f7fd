#include "rpc/retry.h"

#include <string.h>

#include "base/check.h"
#include "base/clock.h"

#include "screening/v1/words.h"

/* Tokens are counted in thousandths of a retry. The budget holds at most 100 retries. */
enum { RETRY = 1000, TOKENS_MAX = 100 * RETRY, TOKENS_PER_PERCENT = RETRY / 100 };

static void fill(struct retry_budget *budget, int64_t tokens)
{
    budget->tokens += tokens;
    if (budget->tokens > TOKENS_MAX)
        budget->tokens = TOKENS_MAX;
    CHECK(budget->tokens >= 0);
}

void retry_budget_init(struct retry_budget *budget, const struct retry_options *options, int64_t now_ns)
{
    *budget = (struct retry_budget){.options = *options, .filled_ns = now_ns, .tokens = TOKENS_MAX};
}

void retry_budget_earn(struct retry_budget *budget)
{
    fill(budget, (int64_t)budget->options.percent * TOKENS_PER_PERCENT);
}

bool retry_budget_take(struct retry_budget *budget, int64_t now_ns)
{
    /* One retry per second is a thousandth of a retry per millisecond. */
    int64_t passed_ms = (now_ns - budget->filled_ns) / NS_PER_MS;
    budget->filled_ns += passed_ms * NS_PER_MS;
    /*
     * TOKENS_MAX ms are enough to fill the budget at any rate above 0. With more, the product could overflow.
     */
    fill(budget, (passed_ms < TOKENS_MAX ? passed_ms : TOKENS_MAX) * budget->options.min_per_s);
    if (budget->tokens < RETRY)
        return false;
    budget->tokens -= RETRY;
    return true;
}

bool retry_elsewhere(enum status status, const char *reason)
{
    return status == STATUS_UNAVAILABLE && (strcmp(reason, SCREENING_REASON_DRAINING) == 0 ||
                                            strcmp(reason, SCREENING_REASON_NOT_READY) == 0);
}

bool retry_was_refused(enum status status, const char *reason)
{
    return status == STATUS_RESOURCE_EXHAUSTED || retry_elsewhere(status, reason) ||
           (status == STATUS_UNAVAILABLE && strcmp(reason, SCREENING_REASON_RECOVERING) == 0);
}

bool retry_is_harmless(enum status status, const char *reason, bool left)
{
    return !left || retry_was_refused(status, reason);
}

bool retry_may_help(const struct error *error, bool left, bool idempotent)
{
    /*
     * RESOURCE_EXHAUSTED without retry_after_ms means, for example, that the message is too large, so a retry
     * would fail too.
     */
    if (strcmp(error->reason, SCREENING_REASON_TOO_MANY_CALLS) == 0)
        return false; /* the limit is the caller's own, so the caller has to wait */
    bool for_now = error->status == STATUS_UNAVAILABLE ||
                   (error->status == STATUS_RESOURCE_EXHAUSTED && error->retry_after_ms > 0);
    return for_now && (idempotent || retry_is_harmless(error->status, error->reason, left));
}
