/*
 * Runs one batch of the writer. Loads the rows that the commands need, decides the commands one by one, and
 * saves the events and one final row per key. This is the writer's `apply`. A command of class WRITER_EVENT
 * is a chunk of the booking log; any other is a struct command. While the writer is open, only its thread
 * uses a batch.
 */
#ifndef SCREENING_HOSPITAL_SVC_BATCH_H
#define SCREENING_HOSPITAL_SVC_BATCH_H

#include <stdbool.h>

#include "events/event_log.h"
#include "writer/writer.h"

struct batch;

/*
 * Creates a batch. The caller keeps ownership of `log`, which must outlive the batch. Returns NULL when out
 * of memory.
 */
struct batch *batch_create(struct event_log *log);
void batch_destroy(struct batch *batch);

/*
 * Sets the callback. Call batch_on_unpaired before the first batch. After a commit the writer thread calls
 * `unpaired` if the era is not paired, or if a Reserve call in the batch named eras other than the current
 * ones (`eras_differ` is then true).
 */
void batch_on_unpaired(struct batch *batch, void (*unpaired)(void *context, bool eras_differ), void *context);

/* Returns the operations for writer_open. */
struct writer_ops batch_ops(struct batch *batch);

#endif
