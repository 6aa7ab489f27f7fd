/* Private to lib/events: submits chunks to the writer. */
#ifndef SCREENING_EVENTS_CHUNK_H
#define SCREENING_EVENTS_CHUNK_H

#include "events/follower.h"
#include "writer/writer.h"

/* Returns whether the chunk may be applied if the cursor is in era `cursor_era` (see follower.h). */
bool chunk_fits_era(const struct event_chunk *chunk, int64_t cursor_era);

/*
 * Submits a copy of the chunk to the writer and waits until its command is complete. Returns the outcome,
 * with details in `error`. If `patient`, the chunk waits briefly for another command to start a batch.
 */
MUST_CHECK enum status chunk_run(struct writer *writer, const struct event_chunk *chunk, bool patient,
                                 struct error *error);

#endif
