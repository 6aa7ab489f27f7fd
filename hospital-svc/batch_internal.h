/* What the parts of a batch share: batch.c (its order), batch_keys.c (what it loads), batch_decide.c (what it
 * decides). */
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
#include "events/subscriber.h"

/* What the batch did; counted once it is committed. */
struct batch_tally {
    int64_t granted, refused, released, tombstones, recovering;
    int64_t reinstated, lost; /* places; lost: those that show that the database has gone back */
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
    struct pair_done *pair; /* that the batch has agreed to; NULL = none */
    bool eras_differ;       /* a caller knows other eras */
    void (*unpaired)(void *context, bool eras_differ);
    void *unpaired_context;
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

/*
 * Deletes a hospital for `command` and appends the event; or *refusal. *answer lies in the command's arena
 * and is without days, so that a repeat on a later day is answered the same.
 */
MUST_CHECK enum status batch_delete_hospital(struct batch *batch, const struct command *command,
                                             struct hospital_row *row, const ProtobufCMessage **answer,
                                             struct error *refusal, struct error *error);

/* ---- batch_pair.c: COMMAND_LOOK and COMMAND_PAIR, and what any batch has found out about the past ---- */

MUST_CHECK enum status batch_pair_collect(struct batch *batch, struct db *db, struct command *command,
                                          struct error *error);
MUST_CHECK enum status batch_pair_decide(struct batch *batch, struct command *command, struct error *error);
MUST_CHECK enum status batch_pair_save(struct batch *batch, struct db *db, struct error *error);

enum status batch_out_of_memory(struct error *error);

#endif
