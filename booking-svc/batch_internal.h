/*
 * Declarations shared by batch.c (order, decisions, saving) and batch_load.c (loading). Writer thread only.
 */
#ifndef SCREENING_BOOKING_SVC_BATCH_INTERNAL_H
#define SCREENING_BOOKING_SVC_BATCH_INTERNAL_H

#include "batch.h"
#include "booking.h"
#include "store.h"

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/map.h"
#include "db/db.h"

/* A booking in the working set. */
struct entry {
    struct booking booking;
    bool is_new;
    bool changed;
};

/* A deleted hospital in the working set, and the chunk of its bookings to force-cancel. */
struct deletion {
    struct hospital_deletion row;
    bool changed;
    const struct uuid *chunk;
    size_t chunk_count;
};

struct batch {
    struct event_log *log;
    struct arena arena;   /* the memory of the current batch */
    struct map bookings;  /* booking_id -> struct entry */
    struct map deletions; /* hospital_id -> struct deletion */
    struct moment at;
    bool began_deletion;
    bool hospital_unavailable;
};

/* Returns the booking command, or NULL if the command is a chunk of the hospital log. */
const struct booking_command *batch_booking_command(const struct writer_command *command);

/*
 * Add a copy of the row to the working set, which must not contain it yet. When out of memory, return NULL or
 * RESOURCE_EXHAUSTED.
 */
struct entry *batch_add_entry(struct batch *batch, const struct booking *booking);
MUST_CHECK enum status batch_take_deletion(struct batch *batch, const struct hospital_deletion *row);

/* Loads the rows that the commands need into the working set. */
MUST_CHECK enum status batch_load(struct batch *batch, struct db *db, struct writer_command *const *commands,
                                  size_t count, struct error *error);

#endif
