/* Limits a BatchReserve to the time budgets of its callers. Pure; any thread. */
#ifndef SCREENING_BOOKING_SVC_BUDGET_H
#define SCREENING_BOOKING_SVC_BUDGET_H

#include "placements.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Removes from the queue the placements whose remaining budget is too short for a call, and counts the others
 * in *kept. Returns the removed placements, with their outcome set.
 */
struct queue budget_drop_expired(struct queue *placements, int64_t now_ns, size_t *kept);

/*
 * Returns the timeout of a call with these placements. It is `most_ms`, or the rest of the longest of their
 * budgets after the settle, if that is less.
 */
uint32_t budget_timeout_ms(const struct queue *placements, uint32_t most_ms, int64_t now_ns);

#endif
