/* Submits a chunk to the writer and waits for its outcome. */
#ifndef SCREENING_EVENTS_CHUNK_RUN_H
#define SCREENING_EVENTS_CHUNK_RUN_H

#include "base/monitor.h"
#include "events/follower.h"
#include "writer/writer.h"

/* True if the chunk may be applied at a cursor of era `cursor_era`; see follower.h. */
bool chunk_fits_era(const struct event_chunk *chunk, int64_t cursor_era);

/*
 * Returns the chunk's outcome, with details in `error`. A patient chunk waits briefly to join a batch that
 * other commands start. The caller must not hold the monitor's lock.
 */
MUST_CHECK enum status chunk_run(struct writer *writer, struct monitor *monitor,
                                 const struct event_chunk *chunk, bool patient, struct error *error);

#endif
