/*
 * What one booking's part in a BatchReserve came to: its outcome, or when it is sent again; and how that
 * counts for the breaker. Pure: the clock is handed in.
 */
#ifndef BOOKING_SVC_VERDICT_H
#define BOOKING_SVC_VERDICT_H

#include "work.h"

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "rpc/breaker.h"

struct verdict {
    enum status code;
    const char *reason; /* "" = none */
    bool left;          /* the call left; false: nothing was executed */
    uint32_t retry_after_ms;
    uint32_t had_ms;  /* how long hospital-svc had for the answer */
    uint32_t fair_ms; /* had it less, its silence says nothing of it */
};

/*
 * Sets the work's outcome and reason. False: nothing was executed, and there is time to send it again at its
 * not_before_ns, which then is set: not before the answer asks for; if it asks for nothing, after a growing
 * pause, but while the caller's budget lasts.
 */
bool verdict_apply(const struct verdict *verdict, struct work *work, int64_t now_ns);

/* How the last result of a work counts, which was first sent at its first_sent_ns. */
enum breaker_outcome verdict_for_breaker(const struct verdict *verdict, const struct work *work,
                                         int64_t now_ns);

/* When a work may be sent for the last time: what remains is for the call and the settle. */
int64_t verdict_last_try_ns(const struct work *work);

#endif
