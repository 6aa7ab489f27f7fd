/* Limits a BatchReserve to the time budgets of its callers. Pure; any thread. */
#ifndef SCREENING_BOOKING_SVC_BUDGET_H
#define SCREENING_BOOKING_SVC_BUDGET_H

#include "placements.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Removes the placements whose remaining budget is too short for a call, and returns them with their outcome
 * set. Sets *kept to the number of placements that remain in the queue.
 */
struct queue budget_drop_expired(struct queue *placements, int64_t now_ns, size_t *kept);

/*
 * Returns the timeout of a call for `placements`: the longest of their budgets less the time for the settle,
 * but at most `most_ms`.
 */
uint32_t budget_timeout_ms(const struct queue *placements, uint32_t most_ms, int64_t now_ns);

#endif
