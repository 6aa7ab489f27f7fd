/*
 * The rules of the read model. They map the known state and an event to what readers see. The functions are
 * pure: they use no I/O and no clock.
 *
 * booking-svc is the only authority on a booking. Its events take precedence, regardless of the order in
 * which events of the two logs arrive. hospital.deleted changes only the hospital. Until the booking's own
 * event arrives, each read decides what the deletion means for the booking.
 */
#ifndef SCREENING_HISTORY_SVC_PROJECTION_H
#define SCREENING_HISTORY_SVC_PROJECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "screening/v1/types.pb-c.h"

/* ---- which events matter ---- */

enum event_meaning {
    EVENT_BOOKING,             /* carries the booking's state at the time of the event */
    EVENT_HOSPITAL_REGISTERED, /* carries the hospital's name and address */
    EVENT_HOSPITAL_DELETED,
    EVENT_WITHOUT_EFFECT, /* known, but no read depends on the event */
    EVENT_UNKNOWN,        /* from a newer publisher: stored unchanged */
};

struct event_kind {
    enum event_meaning meaning;
    Screening__V1__BookingStatus status; /* for EVENT_BOOKING, the status that the booking must have */
};

/*
 * Returns the kind of an event. `log` is the log that contains the event. A type that belongs to another log
 * is unknown.
 */
struct event_kind projection_event_kind(const char *log, const char *type);

/* ---- the version rule ---- */

/*
 * Returns whether an event of version `told` changes a booking of version `known` (0 = unknown booking).
 * Only a higher version does.
 */
bool projection_moves(uint64_t known, uint64_t told);

/* ---- the provisional rule ---- */

/* The known deletion of a hospital. `day` is its civil date in the clinic's zone. */
struct hospital_deletion {
    bool deleted;
    int32_t day;
};

struct booking_view {
    Screening__V1__BookingStatus status;
    bool provisional; /* whether FORCE_CANCELLED is predicted, before the booking's own event has arrived */
};

/* Returns what readers see of a booking with screening day `day`. `status` is that of its last event. */
struct booking_view projection_view(Screening__V1__BookingStatus status, int32_t day,
                                    const struct hospital_deletion *deletion);

/* ---- lag ---- */

/*
 * Returns the milliseconds since `oldest_unapplied_us`. Returns 0 if this instant is 0 (unknown) or in the
 * future, or if everything is applied.
 */
uint64_t projection_lag_ms(uint64_t applied_seq, uint64_t head_seq, int64_t oldest_unapplied_us,
                           int64_t now_us);

#endif
