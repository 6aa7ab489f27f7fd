/*
 * Resumes the REQUESTED bookings on which no call is working. They were queued because hospital-svc did not
 * answer, or were left by a crash or a failed commit. So the same mechanism serves recovery and fallback.
 * While the breaker is open the settler resumes no bookings, because their backoff would only grow. While the
 * breaker is half-open, the settler resumes as many bookings as the breaker admits.
 *
 * Each round resumes the bookings that are not announced, then the announced ones, the oldest first. Of a
 * backlog, at most 48 bookings are in flight at a time. Customers' bookings precede them in the writer's
 * batches and have their own calls to hospital-svc.
 */
#ifndef SCREENING_BOOKING_SVC_SETTLER_H
#define SCREENING_BOOKING_SVC_SETTLER_H

#include "placements.h"

#include "base/status.h"

struct settler;

/*
 * Starts a thread that looks for bookings immediately and then every second. The caller keeps ownership of
 * `table` and `reserver`.
 */
MUST_CHECK enum status settler_open(const char *database_url, struct placements *table,
                                    struct reserver *reserver, struct settler **out, struct error *error);

/* Stops the thread. The bookings that it has resumed stay in flight. NULL is allowed. */
void settler_close(struct settler *settler);

#endif
