/* Shared by the source files of a batch: batch.c (order of steps), batch_load.c (loading), batch_decide.c
 * (decisions), batch_pair.c (pairing). */
#ifndef SCREENING_HOSPITAL_SVC_BATCH_INTERNAL_H
#define SCREENING_HOSPITAL_SVC_BATCH_INTERNAL_H

#include "batch.h"
#include "command.h"
#include "hospital.h"
#include "working_set.h"

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "db/db.h"
#include "events/follower.h"

/* Counts of what one batch has done. They are added to the metrics after the commit. */
struct batch_tally {
    int64_t granted, refused, released, tombstones, recovering;
    int64_t reinstated, lost; /* numbers of reservations; a lost one proves that the database reverted */
};

/* The releases of one chunk of events. */
struct batch_chunk {
    struct event_chunk *chunk;
    struct release *releases;
    struct reservation_row **reservations;
    size_t count;
};

/* Each apply starts with an empty batch. Only the log, the callback and reusable memory are kept. */
struct batch {
    struct event_log *log; /* owned by the caller */
    struct db_params *params;
    struct arena arena; /* holds the rows of `set` and the chunks until the next apply */
    struct working_set set;
    struct batch_chunk *chunks;
    size_t chunk_count;
    struct batch_tally tally;
    struct pair_done *pair; /* the pairing that this batch completes; NULL = none */
    bool eras_differ;       /* whether a Reserve call names eras other than the current ones */
    void (*unpaired)(void *context, bool eras_differ);
    void *unpaired_context;
    int64_t now_us; /* the time of the whole batch, as an instant and as a civil date */
    int32_t today;
};

/* Loads the cursors. Adds every row that the commands name to the working set. */
MUST_CHECK enum status batch_collect(struct batch *batch, struct db *db,
                                     struct writer_command *const *commands, size_t count,
                                     struct error *error);

/* Loads the working set. For capacity changes that are decided a second time, also looks up whether the first
 * decision was committed. */
MUST_CHECK enum status batch_load(struct batch *batch, struct db *db, struct writer_command *const *commands,
                                  size_t count, struct error *error);

/* Decides the commands in order. Produces outcomes, answers, changed rows and events. */
MUST_CHECK enum status batch_decide(struct batch *batch, struct writer_command *const *commands, size_t count,
                                    struct error *error);

/*
 * Deletes a hospital on behalf of `command` and appends the event, or sets *refusal. *answer is allocated in
 * the command's arena. The answer has no days, so that a repeat on a later day returns the same answer.
 */
MUST_CHECK enum status batch_delete_hospital(struct batch *batch, const struct command *command,
                                             struct hospital_row *row, const ProtobufCMessage **answer,
                                             struct error *refusal, struct error *error);

/* ---- batch_pair.c: COMMAND_LOOK, COMMAND_PAIR, and recording the losses that a batch finds ---- */

MUST_CHECK enum status batch_pair_collect(struct batch *batch, struct db *db, struct command *command,
                                          struct error *error);
MUST_CHECK enum status batch_pair_decide(struct batch *batch, struct command *command, struct error *error);
MUST_CHECK enum status batch_pair_save(struct batch *batch, struct db *db, struct error *error);

#endif
