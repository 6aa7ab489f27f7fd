/* The position of a batch relative to the events already taken in. Pure; any thread. */
#ifndef SCREENING_EVENTS_SEQUENCE_H
#define SCREENING_EVENTS_SEQUENCE_H

#include <stdbool.h>
#include <stddef.h>

#include "events/cursor.h"

#include "screening/v1/event.pb-c.h"

enum batch_place {
    BATCH_OLD,   /* all taken in already, or a heartbeat with no news */
    BATCH_NEXT,  /* continues the log; its first events may be taken in already */
    BATCH_LATER, /* events before it are missing */
    BATCH_DOUBT, /* of another log or another past, or malformed: only Fetch can resolve it */
};

/*
 * `end` is the last event taken in; its log_id is zero before the first contact. For BATCH_NEXT, *skip is the
 * number of leading events in the batch that were taken in already.
 */
enum batch_place sequence_place(const struct event_cursor *end, const Screening__V1__EventBatch *batch,
                                size_t *skip);

/* Returns whether the events have consecutive seqs from `first_seq` on, and valid ids. */
bool sequence_is_gapless(Screening__V1__Event *const *events, size_t count, uint64_t first_seq);

#endif
