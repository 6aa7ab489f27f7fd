/* Compares the position of a batch with the events already received. Pure; any thread. */
#ifndef SCREENING_EVENTS_SEQUENCE_H
#define SCREENING_EVENTS_SEQUENCE_H

#include <stdbool.h>
#include <stddef.h>

#include "events/cursor.h"

#include "screening/v1/event.pb-c.h"

enum batch_place {
    BATCH_OLD,   /* all events were already received, or a heartbeat that announces nothing new */
    BATCH_NEXT,  /* continues the log; its first events may already have been received */
    BATCH_LATER, /* events before it are missing */
    BATCH_DOUBT, /* of another log or another history, or malformed; only Fetch can resolve it */
};

/*
 * Returns the place of a batch. `end` is the last event received; its log_id is zero before the first
 * contact. For BATCH_NEXT, sets *skip to the number of leading events that were already received.
 */
enum batch_place sequence_place(const struct event_cursor *end, const Screening__V1__EventBatch *batch,
                                size_t *skip);

/* Returns whether the events have consecutive seqs from `first_seq` on, and valid ids. */
bool sequence_is_gapless(Screening__V1__Event *const *events, size_t count, uint64_t first_seq);

#endif
