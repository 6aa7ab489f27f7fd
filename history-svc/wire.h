/* Converts between rows and protobuf messages. Any thread. */
#ifndef SCREENING_HISTORY_SVC_WIRE_H
#define SCREENING_HISTORY_SVC_WIRE_H

#include "store.h"

#include "base/arena.h"

#include "screening/v1/history.pb-c.h"

/*
 * Reads the booking of an event. The row points to the strings of the message. Returns NULL on success,
 * otherwise a description of the error.
 */
MUST_CHECK const char *wire_read_booking(const Screening__V1__Booking *booking, struct booking_row *row);

/*
 * Creates the summary that readers see. A booking that the deletion of its hospital will force-cancel already
 * appears as FORCE_CANCELLED. Copies everything into the arena. Returns NULL when out of memory. Any thread.
 */
Screening__V1__BookingSummary *wire_summary(struct arena *arena, const struct summary_row *row);

/* Like wire_summary, for a history entry. */
Screening__V1__HistoryEntry *wire_entry(struct arena *arena, const struct entry_row *row);

#endif
