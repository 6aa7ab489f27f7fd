/*
 * Runs one batch of the writer. It loads the rows that the commands need, applies the rules command by
 * command, and saves the results and the events. Writer thread only.
 */
#ifndef SCREENING_BOOKING_SVC_BATCH_H
#define SCREENING_BOOKING_SVC_BATCH_H

#include "booking.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "events/event_log.h"
#include "writer/writer.h"

/*
 * Kinds that concern one booking come first, because batch_load loads the booking for all kinds up to
 * COMMAND_ABANDON.
 */
enum command_kind {
    COMMAND_CREATE,       /* records the intent: creates the booking as REQUESTED, or finds it */
    COMMAND_CANCEL,       /* cancels for the customer */
    COMMAND_SETTLE,       /* applies hospital-svc's answer */
    COMMAND_RESUME,       /* takes up a REQUESTED booking for the settler */
    COMMAND_ABANDON,      /* gives back the place of a lost booking for an operator */
    COMMAND_FORCE_CANCEL, /* cancels the next chunk of a deleted hospital's bookings */
    COMMAND_PAIR,         /* pairs with hospital-svc; the command is a struct pairing */
    COMMAND_LOOK,         /* only reads the eras again */
};

/*
 * The number of bookings per COMMAND_FORCE_CANCEL. It is small enough not to delay the commands queued after
 * it.
 */
enum { FORCE_CANCEL_CHUNK = 128 };

/* Every command of this service except those of class WRITER_EVENT, which are chunks of the hospital log. */
struct booking_command {
    struct writer_command writer;
    enum command_kind kind;
    struct uuid booking_id;         /* CREATE, CANCEL, SETTLE, RESUME, ABANDON */
    struct uuid hospital_id;        /* SETTLE, force-cancel */
    const struct booking *request;  /* CREATE; ABANDON: the place */
    const char *reason;             /* CANCEL; SETTLE when refused */
    enum placement_outcome outcome; /* SETTLE */
    int64_t era;                    /* SETTLE if granted: hospital-svc's era when it granted the place */
    int64_t own_era;                /* SETTLE: this service's era when it sent the Reserve; 0 = not checked */
    bool by_settler;                /* RESUME, SETTLE */
    bool was_requested;             /* SETTLE, owned by the batch: it has found the booking REQUESTED */
    const char *traceparent;        /* for the events; "" = none */
    /* Results, if writer.outcome is OK; valid during `complete`. */
    const struct booking
        /* The booking as the batch commits it, including later commands; NULL without a booking_id. */
        *booking;
    bool finished;  /* for COMMAND_FORCE_CANCEL: no bookings are left to cancel */
    bool ask_again; /* for SETTLE: the grant has an era other than the paired one; nothing has changed */
};

struct batch;

/* Creates a batch. The caller keeps ownership of `log`. Returns NULL when out of memory. */
struct batch *batch_create(struct event_log *log);
void batch_destroy(struct batch *batch);

/*
 * Sets, for the next batches, whether hospital-svc is known to be unavailable. If it is, the commit that
 * creates a booking also settles it, with an unknown outcome. Writer thread.
 */
void batch_set_hospital_unavailable(struct batch *batch, bool unavailable);

/* Implements writer_ops.apply. `context` is the struct batch. */
enum status batch_apply(void *context, struct db *db, struct writer_command *const *commands, size_t count,
                        struct error *error);

/* Returns whether the batch just committed recorded the deletion of a hospital. */
bool batch_began_deletion(const struct batch *batch);

#endif
