/*
 * The state machine of a booking, of which booking-svc is the only authority.
 *
 *  REQUESTED --reserved--> CONFIRMED --customer cancels--> CANCELLED
 *      |                       \------hospital deleted---> FORCE_CANCELLED
 *      |--refused------------> REJECTED
 *      |--customer cancels---> CANCELLED
 *      \--hospital deleted---> FORCE_CANCELLED
 *
 * The functions are pure. They take a booking and a command, and return the changed booking and the event to
 * append. They allocate nothing. Strings in the result are those of the arguments, or constants.
 */
#ifndef SCREENING_BOOKING_SVC_BOOKING_H
#define SCREENING_BOOKING_SVC_BOOKING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "base/uuid.h"

#include "screening/v1/types.pb-c.h"

enum { BOOKING_HASH_BYTES = 16 };

struct booking {
    struct uuid booking_id;
    struct uuid hospital_id;
    const char *customer_id;
    const char *customer_name;
    const char *status_reason;
    int32_t day;
    uint32_t headcount;
    Screening__V1__BookingStatus status;
    int64_t created_at_us;
    int64_t updated_at_us;
    uint64_t version;
    uint8_t content_hash[BOOKING_HASH_BYTES]; /* hash of the request as first accepted */
    /* The following members are used only in a request. */
    uint8_t content_as_sent[BOOKING_HASH_BYTES]; /* the same hash with the name as sent, before normalization,
                                                    which earlier versions stored */
    const char *refusal; /* "field: rule" that refuses a new booking, or NULL; ignored for a repetition */
    bool queue_if_unavailable;
    bool announced; /* whether booking.requested has been appended */
};

/* The time at which a rule is applied, as an instant and its civil date in the clinic's time zone. */
struct moment {
    int64_t now_us;
    int32_t today;
};

/*
 * The deletion of a hospital. Bookings of `day` (the civil date of the deletion) or later are
 * force-cancelled.
 */
struct deletion_mark {
    bool deleted;
    int32_t day;
};

/* The outcome of asking hospital-svc for the place. */
enum placement_outcome {
    PLACEMENT_GRANTED,
    PLACEMENT_REFUSED,      /* definitely refused, with a reason */
    PLACEMENT_UNKNOWN,      /* no definite answer, or not asked at all, so the place may be taken */
    PLACEMENT_BUDGET_SPENT, /* the caller's budget ended before hospital-svc was asked */
};

/*
 * The event to append; NULL = none. A booking never changes without an event. Only booking.released is
 * appended although its booking has not changed.
 */
struct booking_change {
    const char *event_type;
};

/* Returns whether the status can still change, which is so for REQUESTED and CONFIRMED. */
bool booking_is_live(Screening__V1__BookingStatus status);

/*
 * Applies a request to book. If `existing` is NULL, *booking becomes a REQUESTED booking made from `request`,
 * without an event, because no client knows about it yet. Returns INVALID_ARGUMENT if its day has passed or a
 * text breaks a rule. If a booking exists, nothing changes. Returns ALREADY_EXISTS if it has different
 * content. Otherwise returns OK, and the caller answers with the existing booking. The content of an
 * abandoned booking is unknown and matches any request.
 */
MUST_CHECK enum status booking_create(const struct booking *existing, const struct booking *request,
                                      const struct moment *at, struct booking *booking,
                                      struct error *refusal);

/*
 * Releases the place that hospital-svc holds for a lost booking, for an operator. If `existing` is NULL,
 * *booking becomes a booking without a customer, REJECTED with reason `ABANDONED`, with the content of
 * `place`. Its event releases the place, and no late call can take it again. An existing booking does not
 * change. If it has ended, an event releases its place. If it is live or already abandoned, there is no
 * event.
 */
struct booking_change booking_abandon(const struct booking *existing, const struct booking *place,
                                      const struct moment *at, struct booking *booking);

/*
 * Applies hospital-svc's answer. Only a REQUESTED booking changes. A place granted to a booking that has
 * ended is released by a separate event, because hospital-svc may have applied the event of the ending before
 * the grant and purged its tombstone since. If the hospital is deleted, a granted or unknown outcome leads to
 * FORCE_CANCELLED. `reason` is the reason of a refusal. With `by_settler` no client waits, so an unknown
 * outcome leaves the booking REQUESTED for another attempt. Without it, an unknown outcome announces the
 * booking as REQUESTED if the client asked to queue it, and otherwise rejects it.
 */
struct booking_change booking_settle(struct booking *booking, enum placement_outcome outcome,
                                     const char *reason, bool by_settler, const struct deletion_mark *mark,
                                     const struct moment *at);

/*
 * Resumes a booking that no call works on, for the settler. After its day the booking is REJECTED. Otherwise
 * it is announced, unless it already was. Only a REQUESTED booking changes.
 */
struct booking_change booking_resume(struct booking *booking, const struct moment *at);

/*
 * Cancels the booking for the customer. Returns FAILED_PRECONDITION with BOOKING_FINAL or DATE_PASSED.
 * Cancelling a CANCELLED booking is OK, changes nothing, and keeps the first reason.
 */
MUST_CHECK enum status booking_cancel(struct booking *booking, const char *reason, const struct moment *at,
                                      struct booking_change *change, struct error *refusal);

/* Applies the deletion of its hospital. Changes only a live booking of mark->day or later. */
struct booking_change booking_force_cancel(struct booking *booking, const struct deletion_mark *mark,
                                           const struct moment *at);

/*
 * Fills in the refusal that CreateBooking returns for a REJECTED booking. `unavailable_ms` is the time for
 * which the breaker will block calls to hospital-svc, or 0 if it does not. Returns FAILED_PRECONDITION.
 */
enum status booking_rejection(const struct booking *booking, uint32_t unavailable_ms, struct error *refusal);

#endif
