/*
 * Evaluates the result of a BatchReserve for one booking. Determines the booking's outcome or the time of its
 * next try, and how the result counts for the breaker. Pure: the caller passes the time.
 */
#ifndef SCREENING_BOOKING_SVC_VERDICT_H
#define SCREENING_BOOKING_SVC_VERDICT_H

#include "placements.h"

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "rpc/breaker.h"

struct verdict {
    enum status code;
    const char *reason; /* "" = none */
    bool left;          /* whether the call was sent; if not, nothing was executed */
    bool refused_later; /* as in struct rpc_client_call */
    uint32_t retry_after_ms;
    uint32_t had_ms;  /* the time that hospital-svc had to answer */
    uint32_t fair_ms; /* if hospital-svc had less time, a missing answer is not a failure */
};

/*
 * Sets the placement's outcome and reason. Returns true unless the placement must be sent again, because
 * nothing was executed or the latest try was refused for now, there is time for another try, and the
 * placement is not the settler's. In that case returns false and sets not_before_ns to the time of the next
 * try, which is within the caller's budget. Unless the answer requests a pause, the pause before the next try
 * grows with each try.
 */
bool verdict_apply(const struct verdict *verdict, struct placement *placement, int64_t now_ns);

/*
 * Returns how the last result of a placement, first sent at placement->first_sent_ns, counts for the breaker.
 */
enum breaker_outcome verdict_for_breaker(const struct verdict *verdict, const struct placement *placement,
                                         int64_t now_ns);

/*
 * Returns the latest time at which a placement may be sent. The rest of the budget is for the call and the
 * settle.
 */
int64_t verdict_last_try_ns(const struct placement *placement);

#endif
