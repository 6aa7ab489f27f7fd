/* Where a batch stands relative to what has been applied. Pure; any thread. */
#ifndef SCREENING_EVENTS_SEQUENCE_H
#define SCREENING_EVENTS_SEQUENCE_H

#include "cursor.h"

#include <stdbool.h>
#include <stddef.h>

#include "screening/v1/event.pb-c.h"

enum batch_place {
    BATCH_OLD,   /* all applied, or a heartbeat that tells nothing new */
    BATCH_NEXT,  /* continues the log; its first events may be applied already */
    BATCH_LATER, /* something before it is missing */
    BATCH_DOUBT, /* of another log, another past, or malformed: only Fetch can tell */
};

/*
 * `end` is the last event taken in, its log_id zero before the first contact. For BATCH_NEXT, *skip is how
 * many events of the batch come first that are taken in already.
 */
enum batch_place sequence_place(const struct event_cursor *end, const Screening__V1__EventBatch *batch,
                                size_t *skip);

/* Whether the events follow one another from `first_seq` on and have ids. */
bool sequence_is_gapless(Screening__V1__Event *const *events, size_t count, uint64_t first_seq);

#endif
