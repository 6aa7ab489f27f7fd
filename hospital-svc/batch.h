/*
 * One batch of the writer: load what its commands need, decide one after the other, save one final row per
 * key and the events. This is the writer's `apply`; commands of class WRITER_EVENT are chunks of the booking
 * log, all others a struct command. Everything here runs on the writer thread.
 */
#ifndef SCREENING_HOSPITAL_SVC_BATCH_H
#define SCREENING_HOSPITAL_SVC_BATCH_H

#include <stdbool.h>

#include "events/event_log.h"
#include "writer/writer.h"

struct batch;

/* `log` stays the caller's and must outlive the batch. NULL when out of memory. */
struct batch *batch_create(struct event_log *log);
void batch_destroy(struct batch *batch);

/*
 * Has `unpaired` called after each commit that leaves the era unpaired, or that has met a caller who knows
 * other eras. Before the first batch; on the writer thread.
 */
void batch_on_unpaired(struct batch *batch, void (*unpaired)(void *context, bool eras_differ), void *context);

/* What writer_open takes. */
struct writer_ops batch_ops(struct batch *batch);

#endif
