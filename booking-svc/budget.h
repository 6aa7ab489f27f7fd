/* How much of its callers' time a BatchReserve may take. Pure; any thread. */
#ifndef BOOKING_SVC_BUDGET_H
#define BOOKING_SVC_BUDGET_H

#include "work.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Sorts out the works whose budget has no room for a call any more, and counts the others. Returns those
 * sorted out, with their outcome set.
 */
struct work *budget_sift(struct work **chain, int64_t now_ns, size_t *kept);

/* For a call with these works: `most_ms`, but no more than the longest budget that waits. */
uint32_t budget_timeout_ms(const struct work *works, uint32_t most_ms, int64_t now_ns);

#endif
