/*
 * Runs one batch of the writer. Loads the rows that the commands need, applies the rules command by command,
 * and saves the results and the events. While the writer is open, only the writer thread uses the batch.
 */
#ifndef SCREENING_BOOKING_SVC_BATCH_H
#define SCREENING_BOOKING_SVC_BATCH_H

#include "booking.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "events/event_log.h"
#include "writer/writer.h"

#include "screening/v1/booking.pb-c.h"

/*
 * Kinds that concern one booking come first, because batch_load loads the booking for all kinds up to
 * COMMAND_ABANDON.
 */
enum command_kind {
    COMMAND_CREATE,       /* records the intent: creates the booking as REQUESTED, or finds it */
    COMMAND_CANCEL,       /* for the customer: cancels the booking */
    COMMAND_SETTLE,       /* applies hospital-svc's answer */
    COMMAND_RESUME,       /* for the settler: resumes a REQUESTED booking */
    COMMAND_ABANDON,      /* for an operator: releases the place of a lost booking */
    COMMAND_FORCE_CANCEL, /* cancels the next chunk of a deleted hospital's bookings */
    COMMAND_PAIR,         /* pairs with hospital-svc; the command is a struct pairing */
    COMMAND_LOOK,         /* only reads the eras again */
};

/*
 * The maximum number of bookings per COMMAND_FORCE_CANCEL. It is small, so that commands queued behind a
 * chunk do not wait long.
 */
enum { FORCE_CANCEL_CHUNK = 128 };

/*
 * Every command of this service has this type, except those of class WRITER_EVENT, which are chunks of the
 * hospital log.
 */
struct booking_command {
    struct writer_command writer;
    enum command_kind kind;
    struct uuid booking_id;        /* CREATE, CANCEL, SETTLE, RESUME, ABANDON */
    struct uuid hospital_id;       /* SETTLE, COMMAND_FORCE_CANCEL */
    const struct booking *request; /* CREATE: the booking to create; ABANDON: the place to release */
    const Screening__V1__CreateBookingRequest *sent; /* CREATE: from which `request` was parsed */
    const char *reason;                              /* CANCEL; SETTLE, if refused */
    const struct auth_caller *caller;                /* CREATE, CANCEL */
    enum placement_outcome outcome;                  /* SETTLE */
    int64_t era;                                     /* SETTLE, if granted: hospital-svc's era at the grant */
    int64_t own_era;         /* SETTLE: this service's era when it sent the Reserve; 0 = not checked */
    bool by_settler;         /* RESUME, SETTLE */
    bool was_requested;      /* SETTLE: whether the booking was REQUESTED in any apply of the batch */
    const char *traceparent; /* for the events; "" = none */
    /* Results, if writer.outcome is OK; valid during `complete`. */
    const struct booking
        /* The booking as last committed, also by commands that followed this one; NULL if there is none. */
        *booking;
    bool finished;  /* for COMMAND_FORCE_CANCEL: whether no bookings are left to cancel */
    bool ask_again; /* for SETTLE: whether the grant's eras are outdated; the booking is then unchanged */
};

struct batch;

/*
 * Creates a batch. The caller keeps ownership of `log`, which must outlive the batch. Returns NULL when out
 * of memory.
 */
struct batch *batch_create(struct event_log *log);
void batch_destroy(struct batch *batch);

/*
 * Sets whether, from the next batch on, hospital-svc is considered unavailable. If so, the commit that
 * creates a booking also settles the booking, with an unknown outcome. Writer thread.
 */
void batch_set_hospital_unavailable(struct batch *batch, bool unavailable);

/* Implements writer_ops.apply. `context` is the struct batch. */
enum status batch_apply(void *context, struct db *db, struct writer_command *const *commands, size_t count,
                        struct error *error);

/* Returns whether the batch that was just committed recorded the deletion of a hospital. */
bool batch_began_deletion(const struct batch *batch);

#endif
