/* Private to lib/events: a chunk and the writer. */
#ifndef SCREENING_EVENTS_CHUNK_H
#define SCREENING_EVENTS_CHUNK_H

#include "events/follower.h"
#include "writer/writer.h"

/* Returns whether the chunk may be applied at a cursor of era `cursor_era` (see follower.h). */
bool chunk_fits_era(const struct event_chunk *chunk, int64_t cursor_era);

/*
 * Returns the chunk's outcome, with details in `error`. A patient chunk waits briefly to join a batch that
 * other commands start.
 */
MUST_CHECK enum status chunk_run(struct writer *writer, const struct event_chunk *chunk, bool patient,
                                 struct error *error);

#endif
