#include "verdict.h"

#include <string.h>

#include "base/clock.h"
#include "rpc/retry.h"

#include "screening/v1/words.h"

enum {
    LAST_TRY_MS = 60,    /* time at the end of a caller's budget that another try and the settle need */
    RETRY_FIRST_MS = 20, /* first pause before a retry of an unexecuted Reserve; grows to RETRY_MAX_MS */
    RETRY_MAX_MS = 320,
};

int64_t verdict_last_try_ns(const struct placement *placement)
{
    return placement->deadline_ns - LAST_TRY_MS * (int64_t)NS_PER_MS;
}

/*
 * Returns the reason for a REJECTED booking as a constant, because the answer that contains `reason` is
 * freed.
 */
static const char *refusal_reason(enum status code, const char *reason)
{
    static const char *const REASONS[] = {SCREENING_REASON_SOLD_OUT, SCREENING_REASON_HOSPITAL_NOT_FOUND,
                                          SCREENING_REASON_HOSPITAL_DELETED, SCREENING_REASON_DATE_NOT_OPEN,
                                          SCREENING_REASON_RELEASED};
    if (code == STATUS_FAILED_PRECONDITION)
        for (size_t i = 0; i < sizeof REASONS / sizeof REASONS[0]; i++)
            if (strcmp(reason, REASONS[i]) == 0)
                return REASONS[i];
    return SCREENING_REASON_REFUSED;
}

/* Returns whether the error concerns the call, and does not say that the booking itself is refused. */
static bool is_about_the_call(enum status code)
{
    return code == STATUS_UNAVAILABLE || code == STATUS_DEADLINE_EXCEEDED || code == STATUS_INTERNAL ||
           code == STATUS_UNAUTHENTICATED || code == STATUS_PERMISSION_DENIED;
}

/*
 * Returns whether the call may be repeated: it was not executed, or its latest try was refused for now. In
 * the second case a repetition is answered as an earlier try was, because Reserve is idempotent. A server
 * that executed it and could not commit, for example because its disk is full, is not asked again.
 */
static bool may_be_repeated(const struct verdict *verdict)
{
    return verdict->refused_later || retry_is_harmless(verdict->code, verdict->reason, verdict->left);
}

/* Returns the time of the next try, or 0 if there is no time for another try. */
static int64_t next_try_ns(struct placement *placement, uint32_t retry_after_ms, int64_t now_ns)
{
    int64_t last_ns = verdict_last_try_ns(placement);
    if (last_ns < now_ns + RETRY_FIRST_MS * (int64_t)NS_PER_MS)
        return 0;
    if (retry_after_ms > 0) {
        int64_t asked_ns = now_ns + (int64_t)retry_after_ms * NS_PER_MS;
        return asked_ns <= last_ns ? asked_ns : 0;
    }
    placement->backoff.first_ms = RETRY_FIRST_MS;
    placement->backoff.max_ms = RETRY_MAX_MS;
    int64_t wanted_ns = now_ns + backoff_next_ns(&placement->backoff);
    return wanted_ns < last_ns ? wanted_ns : last_ns;
}

bool verdict_apply(const struct verdict *verdict, struct placement *placement, int64_t now_ns)
{
    enum status code = verdict->code;
    placement->command.reason = "";
    if (code == STATUS_OK) {
        placement->command.outcome = PLACEMENT_GRANTED;
    } else if (may_be_repeated(verdict)) {
        placement->tried = true;
        placement->command.outcome = PLACEMENT_UNKNOWN;
        /* Do not retry the settler's bookings: no client waits, and the settler has its own backoff. */
        placement->not_before_ns =
            placement->command.by_settler ? 0 : next_try_ns(placement, verdict->retry_after_ms, now_ns);
        return placement->not_before_ns == 0;
    } else if (is_about_the_call(code)) {
        placement->command.outcome = PLACEMENT_UNKNOWN;
    } else {
        placement->command.outcome = PLACEMENT_REFUSED;
        placement->command.reason = refusal_reason(code, verdict->reason);
    }
    return true;
}

enum breaker_outcome verdict_for_breaker(const struct verdict *verdict, const struct placement *placement,
                                         int64_t now_ns)
{
    int64_t had_ms = verdict->had_ms;
    if (!verdict->left) /* the settler's bookings are sent only once */
        had_ms = placement->command.by_settler ? 0 : (now_ns - placement->first_sent_ns) / NS_PER_MS;
    return breaker_judge(verdict->code, verdict->reason, verdict->left, had_ms, verdict->fair_ms);
}
