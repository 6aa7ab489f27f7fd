/*
 * Runs one batch of the writer. It loads the rows that the commands need, decides the commands one by one,
 * and saves one final row per key and the events. This is the writer's `apply`. A command of class
 * WRITER_EVENT is a chunk of the booking log; any other is a struct command. Everything here runs on the
 * writer thread.
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
 * Sets the function to call, on the writer thread, after each commit that leaves the era unpaired or in which
 * a caller named other eras. Call it before the first batch.
 */
void batch_on_unpaired(struct batch *batch, void (*unpaired)(void *context, bool eras_differ), void *context);

/* Returns the operations for writer_open. */
struct writer_ops batch_ops(struct batch *batch);

#endif
