/*
 * The rules of the read model. Pure: what is known and what is told in, what is shown out; no I/O, no clock.
 *
 * booking-svc is the only authority on a booking: its events have the last word, whatever order the two logs
 * arrive in. hospital.deleted touches the hospital only; what it means for a booking is decided at each read,
 * until the booking's own event has come.
 */
#ifndef HISTORY_SVC_PROJECTION_H
#define HISTORY_SVC_PROJECTION_H

#include <stdbool.h>
#include <stdint.h>

/* The numbers are those of screening.v1.BookingStatus and of the database. */
enum booking_status {
    BOOKING_REQUESTED = 1,
    BOOKING_CONFIRMED = 2,
    BOOKING_REJECTED = 3,
    BOOKING_CANCELLED = 4,
    BOOKING_FORCE_CANCELLED = 5,
};

/* ---- which events matter ---- */

enum event_meaning {
    EVENT_BOOKING,             /* tells a booking as it then was */
    EVENT_HOSPITAL_REGISTERED, /* tells a hospital's name and address */
    EVENT_HOSPITAL_DELETED,
    EVENT_WITHOUT_EFFECT, /* known, and nothing that is shown depends on it */
    EVENT_UNKNOWN,        /* from a newer publisher: kept as it is */
};

struct event_kind {
    enum event_meaning meaning;
    enum booking_status status; /* EVENT_BOOKING: the one that its booking must have */
};

/* `log` is the one that the event came by: a type of another log is unknown there. */
struct event_kind projection_event_kind(const char *log, const char *type);

/* ---- the version rule ---- */

/* Only a higher version moves the status; `known` 0 = nothing is known yet. */
bool projection_moves(uint64_t known, uint64_t told);

/* ---- the provisional rule ---- */

/* Why a booking is FORCE_CANCELLED, in booking-svc's word. */
extern const char PROJECTION_REASON_HOSPITAL_DELETED[];

/* What is known of a hospital's deletion: `day` is its civil date in the clinic's zone. */
struct hospital_deletion {
    bool deleted;
    int32_t day;
};

struct booking_view {
    enum booking_status status;
    bool provisional; /* FORCE_CANCELLED is foreseen: the booking's own event has not come yet */
};

/* How a booking of screening day `day`, last told as `status`, is shown. */
struct booking_view projection_view(enum booking_status status, int32_t day,
                                    const struct hospital_deletion *deletion);

/* ---- how far behind ---- */

/* Milliseconds since `oldest_unapplied_us` (0 = not known), 0 when everything is applied. */
uint64_t projection_lag_ms(uint64_t applied_seq, uint64_t head_seq, int64_t oldest_unapplied_us,
                           int64_t now_us);

#endif
