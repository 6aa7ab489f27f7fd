/*
 * Evaluates the result of a BatchReserve for one booking. This gives its outcome or the time of its next try,
 * and how it counts for the breaker. Pure: the caller passes the time.
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
    uint32_t retry_after_ms;
    uint32_t had_ms;  /* the time that hospital-svc had to answer */
    uint32_t fair_ms; /* with less time than this, a missing answer is not a failure */
};

/*
 * Sets the placement's outcome and reason. Returns false if nothing was executed and there is time for
 * another try. It then sets not_before_ns to the time of that try. That is not earlier than the answer asks
 * for. If the answer asks for nothing, the pause grows with each try, within the caller's budget.
 */
bool verdict_apply(const struct verdict *verdict, struct placement *placement, int64_t now_ns);

/*
 * Returns how the last result of a placement, first sent at placement->first_sent_ns, counts for the breaker.
 */
enum breaker_outcome verdict_for_breaker(const struct verdict *verdict, const struct placement *placement,
                                         int64_t now_ns);

/*
 * Returns the latest time at which a placement may be sent. The rest of its budget is for the call and the
 * settle.
 */
int64_t verdict_last_try_ns(const struct placement *placement);

#endif
