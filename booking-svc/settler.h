/*
 * Resumes the REQUESTED bookings that no call works on. They were queued because hospital-svc did not answer,
 * or were left by a crash or a failed commit. One mechanism serves recovery and fallback. While the breaker
 * is open the settler resumes none, so that their backoff does not grow in vain. While the breaker probes, it
 * resumes as many as there are probes.
 *
 * The oldest booking comes first. However long the backlog, at most 512 of its bookings are in flight at a
 * time. Customers' bookings precede them in the writer's batches and in the calls to hospital-svc.
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

/* Stops the thread. Bookings that it has resumed continue. NULL is allowed. */
void settler_close(struct settler *settler);

#endif
