/*
 * The rules of a booking: its state machine, of which booking-svc is the only authority.
 *
 *  REQUESTED --reserved--> CONFIRMED --customer cancels--> CANCELLED
 *      |                       \------hospital deleted---> FORCE_CANCELLED
 *      |--refused------------> REJECTED
 *      |--customer cancels---> CANCELLED
 *      \--hospital deleted---> FORCE_CANCELLED
 *
 * Pure functions: a booking and what happens to it in, the booking afterwards and the event to tell out. They
 * allocate nothing; texts in the result are those of the arguments or constants.
 */
#ifndef BOOKING_SVC_BOOKING_H
#define BOOKING_SVC_BOOKING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "base/uuid.h"

/* The numbers are those of screening.v1.BookingStatus and of the database. */
enum booking_status {
    BOOKING_REQUESTED = 1,
    BOOKING_CONFIRMED = 2,
    BOOKING_REJECTED = 3,
    BOOKING_CANCELLED = 4,
    BOOKING_FORCE_CANCELLED = 5,
};

enum { BOOKING_HASH_BYTES = 16 };

struct booking {
    struct uuid booking_id;
    struct uuid hospital_id;
    const char *customer_id;
    const char *customer_name;
    const char *status_reason;
    int32_t day;
    uint32_t headcount;
    enum booking_status status;
    int64_t created_at_us;
    int64_t updated_at_us;
    uint64_t version;
    uint8_t content_hash[BOOKING_HASH_BYTES]; /* of the request as first accepted */
    /* Of a request only. */
    uint8_t content_as_sent[BOOKING_HASH_BYTES]; /* its hash before its name was made tidy: what earlier
                                                    versions kept */
    const char *refusal; /* "field: rule" that a new booking would break; NULL = none: a repeat is answered */
    bool queue_if_unavailable;
    bool announced; /* booking.requested has been appended */
};

/* When a rule is applied: an instant, and the civil date of it in the clinic's zone. */
struct moment {
    int64_t now_us;
    int32_t today;
};

/* A hospital's deletion: bookings of `day` (the civil date of the deletion) or later are force-cancelled. */
struct deletion_mark {
    bool deleted;
    int32_t day;
};

/* What came of asking hospital-svc for the place. */
enum reserve_outcome {
    RESERVE_GRANTED,
    RESERVE_REFUSED,      /* definitely no place, with a reason */
    RESERVE_UNKNOWN,      /* no definite answer, or not asked at all: it may or may not have been taken */
    RESERVE_BUDGET_SPENT, /* the caller's budget ended before it was asked */
};

/* The event a change has to tell; NULL = none. A changed booking without event does not exist;
 * booking.released tells of a booking that has not changed. */
struct booking_change {
    const char *event_type;
};

extern const char BOOKING_EVENT_REQUESTED[], BOOKING_EVENT_CONFIRMED[], BOOKING_EVENT_REJECTED[],
    BOOKING_EVENT_CANCELLED[], BOOKING_EVENT_FORCE_CANCELLED[], BOOKING_EVENT_RELEASED[];

/* Whether a status can still change: REQUESTED or CONFIRMED. */
bool booking_is_live(enum booking_status status);

/*
 * A request to book meets what is known under its id. `existing` NULL: `request` becomes the REQUESTED
 * booking *booking (no event: nobody was told yet), INVALID_ARGUMENT if its day has passed or a text of it
 * breaks a rule. Otherwise nothing changes: ALREADY_EXISTS if it had other content (which nobody knows of an
 * abandoned booking); else OK, and the answer depends on the existing booking.
 */
MUST_CHECK enum status booking_create(const struct booking *existing, const struct booking *request,
                                      const struct moment *at, struct booking *booking,
                                      struct error *refusal);

/*
 * An operator gives back the place that hospital-svc holds for a booking of that id. `existing` NULL:
 * *booking becomes one that is REJECTED `ABANDONED`, of nobody, with the content of `place`, so that its
 * event releases the place and no late call can take it again. Otherwise the existing booking wins and does
 * not change; the place of one that has ended is released by an event. A booking abandoned before: no event.
 */
struct booking_change booking_abandon(const struct booking *existing, const struct booking *place,
                                      const struct moment *at, struct booking *booking);

/*
 * Applies hospital-svc's answer. Only a REQUESTED booking changes; a place granted to one that has ended is
 * released by an event of its own: the ending's may have been applied before the grant, and forgotten. Of a
 * deleted hospital, granted or unknown ends FORCE_CANCELLED. `reason` says why it was refused. `by_settler`:
 * nobody waits any more, so an unknown outcome leaves it REQUESTED for another attempt; otherwise it is
 * announced as REQUESTED if the caller asked to queue, else REJECTED.
 */
struct booking_change booking_settle(struct booking *booking, enum reserve_outcome outcome,
                                     const char *reason, bool by_settler, const struct deletion_mark *mark,
                                     const struct moment *at);

/*
 * The settler meets a booking that nobody works on: after its day it is REJECTED, else it is announced unless
 * it was before. Only a REQUESTED booking changes.
 */
struct booking_change booking_meet(struct booking *booking, const struct moment *at);

/*
 * The customer cancels. FAILED_PRECONDITION BOOKING_FINAL or DATE_PASSED; a CANCELLED booking: OK, no change,
 * its first reason stays.
 */
MUST_CHECK enum status booking_cancel(struct booking *booking, const char *reason, const struct moment *at,
                                      struct booking_change *change, struct error *refusal);

/* Its hospital was deleted. Only a live booking of mark->day or later changes. */
struct booking_change booking_force_cancel(struct booking *booking, const struct deletion_mark *mark,
                                           const struct moment *at);

/*
 * The refusal that a caller of CreateBooking gets for a REJECTED booking. `unavailable_ms`: how long
 * hospital-svc will not be asked again; 0 = it may be asked. Returns FAILED_PRECONDITION.
 */
enum status booking_rejection(const struct booking *booking, uint32_t unavailable_ms, struct error *refusal);

#endif
