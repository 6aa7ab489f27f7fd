/* Hands a chunk to the writer and waits for what becomes of it. */
#ifndef SCREENING_EVENTS_CHUNK_RUN_H
#define SCREENING_EVENTS_CHUNK_RUN_H

#include "monitor.h"
#include "subscriber.h"

#include "writer/writer.h"

/* Whether the chunk may be applied at a cursor of that era: see subscriber.h. */
bool chunk_fits_era(const struct event_chunk *chunk, int64_t cursor_era);

/*
 * Returns the outcome, and tells more in `error`. A patient chunk waits a moment for a batch that others
 * begin. Not with the monitor's lock held.
 */
MUST_CHECK enum status chunk_run(struct writer *writer, struct monitor *monitor,
                                 const struct event_chunk *chunk, bool patient, struct error *error);

#endif
