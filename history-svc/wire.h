/* Converts rows to the protobuf messages that callers receive. */
#ifndef SCREENING_HISTORY_SVC_WIRE_H
#define SCREENING_HISTORY_SVC_WIRE_H

#include "store.h"

#include "base/arena.h"

#include "screening/v1/history.pb-c.h"

/*
 * The summary as readers see it: a booking that its hospital's deletion will force-cancel already appears so.
 * Copies everything into the arena. Returns NULL when out of memory. Any thread.
 */
Screening__V1__BookingSummary *wire_summary(struct arena *arena, const struct summary_row *row);

/* The same for an entry. */
Screening__V1__HistoryEntry *wire_entry(struct arena *arena, const struct entry_row *row);

#endif
