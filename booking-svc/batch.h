/*
 * One batch of the writer: load what its commands speak of, let the rules decide one after the other, save
 * the outcome and the events. Lives on the writer thread only.
 */
#ifndef BOOKING_SVC_BATCH_H
#define BOOKING_SVC_BATCH_H

#include "booking.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "events/event_log.h"
#include "writer/writer.h"

/* Those about one booking come first. */
enum command_kind {
    COMMAND_CREATE,       /* intent: the booking becomes REQUESTED, or is the one that exists */
    COMMAND_CANCEL,       /* the customer cancels */
    COMMAND_SETTLE,       /* hospital-svc's answer */
    COMMAND_MEET,         /* the settler meets it */
    COMMAND_ABANDON,      /* an operator gives back a place */
    COMMAND_FORCE_CANCEL, /* the next chunk of a deleted hospital's bookings */
    COMMAND_PAIR,         /* a struct pairing */
    COMMAND_LOOK,         /* nothing but to read the eras again */
};

/* Bookings that one COMMAND_FORCE_CANCEL works off: few enough not to hold up the commands behind it. */
enum { FORCE_CANCEL_CHUNK = 128 };

/*
 * Every command of class WRITER_SETTLE or WRITER_REQUEST in this service; those of class WRITER_EVENT are
 * chunks of the hospital log.
 */
struct booking_command {
    struct writer_command writer;
    enum command_kind kind;
    struct uuid booking_id;        /* CREATE, CANCEL, SETTLE, MEET, ABANDON */
    struct uuid hospital_id;       /* SETTLE, FORCE_CANCEL */
    const struct booking *request; /* CREATE; ABANDON: the place */
    const char *reason;            /* CANCEL; SETTLE when refused */
    enum reserve_outcome outcome;  /* SETTLE */
    int64_t era;                   /* SETTLE when granted: hospital-svc's when it granted */
    int64_t own_era;               /* SETTLE: of this service when the place was asked for; 0 = not checked */
    bool by_settler;               /* SETTLE */
    bool was_requested;            /* SETTLE, the batch's own: it has met the booking REQUESTED */
    const char *traceparent;       /* for the events; "" = none */
    /* Out, when writer.outcome is OK; valid inside `complete`. */
    const struct booking
        *booking;   /* as committed, also after later commands of the batch; NULL if there is no booking_id */
    bool finished;  /* FORCE_CANCEL: nothing is left to do */
    bool ask_again; /* SETTLE: granted in an era that is not the one paired with; nothing has changed */
};

struct batch;

/* `log` stays the caller's. NULL when out of memory. */
struct batch *batch_create(struct event_log *log);
void batch_destroy(struct batch *batch);

/*
 * Whether hospital-svc is known not to answer, for the batches from now on: a new booking is then settled as
 * one whose outcome is unknown, in the commit that creates it. Writer thread.
 */
void batch_set_hospital_unavailable(struct batch *batch, bool unavailable);

/* writer_ops.apply; `context` is the struct batch. */
enum status batch_apply(void *context, struct db *db, struct writer_command *const *commands, size_t count,
                        struct error *error);

/* Whether the batch just committed recorded the deletion of a hospital. */
bool batch_began_deletion(const struct batch *batch);

#endif
