/*
 * Takes up the REQUESTED bookings that nobody works on: those that were queued because hospital-svc did not
 * answer, and those that a crash or a failed commit left behind. One mechanism for recovery and fallback.
 * While the breaker is open it takes up none, so that their backoff does not grow for nothing; then as many
 * as there are probes.
 *
 * The oldest comes first. However long the backlog, at most 512 of its bookings are in work at once, and
 * customers' bookings go before them: in the writer's batches, in the calls to hospital-svc.
 */
#ifndef BOOKING_SVC_SETTLER_H
#define BOOKING_SVC_SETTLER_H

#include "work.h"

#include "base/status.h"

struct settler;

/* Starts a thread that looks at once, and then every second. `table` and `reserver` stay the caller's. */
MUST_CHECK enum status settler_open(const char *database_url, struct work_table *table,
                                    struct reserver *reserver, struct settler **out, struct error *error);

/* Ends the thread; what it took up goes on. NULL is allowed. */
void settler_close(struct settler *settler);

#endif
