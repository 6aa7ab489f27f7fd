/* What the parts of a batch share: batch.c (its order), batch_keys.c (what it loads), batch_decide.c (what it
 * decides). */
#ifndef SCREENING_HOSPITAL_SVC_BATCH_INTERNAL_H
#define SCREENING_HOSPITAL_SVC_BATCH_INTERNAL_H

#include "batch.h"
#include "hospital.h"
#include "working_set.h"

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "db/db.h"
#include "events/subscriber.h"

/* What the batch did; counted once it is committed. */
struct batch_tally {
    int64_t granted, refused, released, tombstones;
};

/* What one chunk of events releases. */
struct batch_chunk {
    struct event_chunk *chunk;
    struct release *releases;
    struct reservation_row **reservations;
    size_t count;
};

/* Nothing is remembered from one apply to the next but memory for reuse. */
struct batch {
    struct event_log *log; /* the caller's */
    struct db_params *params;
    struct arena arena; /* all that follows lies in it, until the next apply */
    struct working_set set;
    struct batch_chunk *chunks;
    size_t chunk_count;
    struct batch_tally tally;
    int64_t now_us; /* one instant and one civil date for the whole batch */
    int32_t today;
};

/* Loads the cursors, and puts every row that the commands name into the working set. */
MUST_CHECK enum status batch_collect(struct batch *batch, struct db *db,
                                     struct writer_command *const *commands, size_t count,
                                     struct error *error);

/* Loads the working set, and of commands that are decided again what they have done. */
MUST_CHECK enum status batch_load(struct batch *batch, struct db *db, struct writer_command *const *commands,
                                  size_t count, struct error *error);

/* Decides the commands in order: outcomes, answers, changed rows, events. */
MUST_CHECK enum status batch_decide(struct batch *batch, struct writer_command *const *commands, size_t count,
                                    struct error *error);

enum status batch_out_of_memory(struct error *error);

#endif
