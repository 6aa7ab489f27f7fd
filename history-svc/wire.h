/* What is read, as the protobuf messages that callers get. */
#ifndef HISTORY_SVC_WIRE_H
#define HISTORY_SVC_WIRE_H

#include "store.h"

#include "base/arena.h"

#include "screening/v1/history.pb-c.h"

/*
 * The summary as it is shown: a booking that its hospital's deletion will force to be cancelled is shown so
 * already. Everything is copied into the arena; NULL when out of memory. Any thread.
 */
Screening__V1__BookingSummary *wire_summary(struct arena *arena, const struct summary_row *row);

/* The same for an entry. */
Screening__V1__HistoryEntry *wire_entry(struct arena *arena, const struct entry_row *row);

#endif
