/*
 * Runs one batch of the writer. Converts chunks of the two logs into rows, and writes each table with one
 * statement. Loads only the cursors, because the statements enforce the version rule. While the writer is
 * open, only its thread uses a batch.
 */
#ifndef SCREENING_HISTORY_SVC_BATCH_H
#define SCREENING_HISTORY_SVC_BATCH_H

#include <stddef.h>

#include "base/status.h"
#include "db/db.h"
#include "writer/writer.h"

struct batch;

/* Creates a batch. Returns NULL when out of memory. */
struct batch *batch_create(void);
void batch_destroy(struct batch *batch);

/* Implements writer_ops.apply. `context` is the struct batch, and every command is a struct event_chunk. */
enum status batch_apply(void *context, struct db *db, struct writer_command *const *commands, size_t count,
                        struct error *error);

#endif
