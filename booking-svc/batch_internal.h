/* What the parts of a batch share: batch.c (its order, what it decides and saves), batch_load.c (what it
 * loads). Writer thread. */
#ifndef BOOKING_SVC_BATCH_INTERNAL_H
#define BOOKING_SVC_BATCH_INTERNAL_H

#include "batch.h"
#include "booking.h"
#include "store.h"

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/map.h"
#include "db/db.h"

/* A booking of the working set. */
struct entry {
    struct booking booking;
    bool is_new;
    bool changed;
};

/* A deleted hospital of the working set, and the chunk of its bookings that is being worked off. */
struct deletion {
    struct hospital_deletion row;
    bool changed;
    const struct uuid *chunk;
    size_t chunk_count;
};

struct batch {
    struct event_log *log;
    struct arena arena;   /* memory of the current batch */
    struct map bookings;  /* booking_id -> struct entry */
    struct map deletions; /* hospital_id -> struct deletion */
    struct moment at;
    bool began_deletion;
    bool hospital_unavailable;
};

/* UNAVAILABLE. */
enum status batch_no_memory(struct error *error);

/* NULL for a chunk of the hospital log. */
const struct booking_command *batch_booking_command(const struct writer_command *command);

/* Put a copy of the row into the working set, which must not have it yet. NULL, or another status than OK:
 * out of memory. */
struct entry *batch_add_entry(struct batch *batch, const struct booking *booking);
MUST_CHECK enum status batch_take_deletion(struct batch *batch, const struct hospital_deletion *row);

/* Loads what the commands speak of into the working set. */
MUST_CHECK enum status batch_load(struct batch *batch, struct db *db, struct writer_command *const *commands,
                                  size_t count, struct error *error);

#endif
