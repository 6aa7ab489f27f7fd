/*
 * One batch of the writer: chunks of the two logs become rows, and each table gets them in one statement.
 * Nothing is loaded but the cursors: the version rule is in the statements. Lives on the writer thread only.
 */
#ifndef HISTORY_SVC_BATCH_H
#define HISTORY_SVC_BATCH_H

#include <stddef.h>

#include "base/status.h"
#include "db/db.h"
#include "writer/writer.h"

struct batch;

/* NULL when out of memory. */
struct batch *batch_create(void);
void batch_destroy(struct batch *batch);

/* writer_ops.apply; `context` is the struct batch. Every command is a struct event_chunk. */
enum status batch_apply(void *context, struct db *db, struct writer_command *const *commands, size_t count,
                        struct error *error);

#endif
