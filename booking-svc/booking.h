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

#include "auth/caller.h"
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
    uint8_t first_content[BOOKING_HASH_BYTES]; /* digest of the request that was first accepted */
    /* In a request: why a new booking is refused, as "field: rule", or NULL; ignored for a repetition. */
    const char *refusal;

    /* Whether first_content is set, because the other members do not hold the content of that request. */
    bool has_first_content;
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

/* The outcome of requesting the place from hospital-svc. */
enum placement_outcome {
    PLACEMENT_GRANTED,
    PLACEMENT_REFUSED,      /* definitely refused, with a reason */
    PLACEMENT_UNKNOWN,      /* no Reserve was sent, or no definite answer came, so the place may be taken */
    PLACEMENT_BUDGET_SPENT, /* the caller's budget ended before a Reserve was sent */
};

/*
 * The event to append; NULL = none. After its creation a booking never changes without an event. Only
 * booking.released is appended without a change of its booking.
 */
struct booking_change {
    const char *event_type;
};

/* Returns whether the status can still change: true for REQUESTED and CONFIRMED. */
bool booking_is_live(Screening__V1__BookingStatus status);

/*
 * Applies a booking request of `caller`. If `existing` is NULL, *booking becomes a REQUESTED booking made
 * from `request`, without an event, because no client knows about it yet. Returns INVALID_ARGUMENT if the day
 * has passed or a text field violates a rule. If `existing` is not NULL, changes nothing: returns
 * ALREADY_EXISTS if its content differs from the request's (`same_content` is false), and otherwise OK, so
 * that the caller answers with the existing booking. The content of an abandoned booking is unknown, so it
 * matches any request.
 *
 * If the caller may not see `existing`, a request that would be refused for a new booking is refused
 * likewise, so that it does not show whether the id is in use. Any other request gets ALREADY_EXISTS, because
 * an id can be used only once. A request for the place of an abandoned booking, whose customer is unknown, is
 * taken for that customer's, so its answer does not change when the day has passed.
 */
MUST_CHECK enum status booking_create(const struct booking *existing, bool same_content,
                                      const struct booking *request, const struct auth_caller *caller,
                                      const struct moment *at, struct booking *booking,
                                      struct error *refusal);

/*
 * For an operator: releases the place that hospital-svc holds for a lost booking. If `existing` is NULL,
 * *booking becomes a booking without a customer, which has the content of `place` and is REJECTED with reason
 * `ABANDONED`. The event of this booking releases the place, and a late CreateBooking with its id finds it
 * REJECTED. An existing booking does not change. If it is live or already abandoned, there is no event. If it
 * ended in another way, an event releases its place.
 */
struct booking_change booking_abandon(const struct booking *existing, const struct booking *place,
                                      const struct moment *at, struct booking *booking);

/*
 * Applies hospital-svc's answer. Only a REQUESTED booking changes. A place granted to a booking that has
 * ended is released by a separate event, because hospital-svc may have applied the event that ended the
 * booking before the grant, and may have purged the tombstone since. If the hospital's deletion covers the
 * booking's day, a granted or unknown outcome makes the booking FORCE_CANCELLED. `reason` is the reason for a
 * refusal. If `by_settler`, no client waits, so an unknown outcome leaves the booking REQUESTED for another
 * attempt. Otherwise an unknown outcome announces the booking as REQUESTED if the client asked to queue it,
 * and rejects it if not.
 */
struct booking_change booking_settle(struct booking *booking, enum placement_outcome outcome,
                                     const char *reason, bool by_settler, const struct deletion_mark *mark,
                                     const struct moment *at);

/*
 * For the settler: resumes a booking on which no call is working. If its day has passed, the booking is
 * REJECTED. Otherwise it is announced, unless it already was. Only a REQUESTED booking changes.
 */
struct booking_change booking_resume(struct booking *booking, const struct moment *at);

/* Fills in the answer for a booking that does not exist, or that the caller may not see. Returns NOT_FOUND.
 */
enum status booking_not_found(struct error *refusal);

/* Returns whether the caller may see the booking. If not, the booking does not exist for the caller. */
bool booking_is_visible(const struct booking *booking, const struct auth_caller *caller);

/*
 * Cancels the booking for the caller. Returns NOT_FOUND if the caller may not see it. Returns
 * FAILED_PRECONDITION with BOOKING_FINAL if the booking is REJECTED or FORCE_CANCELLED, and with DATE_PASSED
 * if it is live but its day has passed. Cancelling a CANCELLED booking returns OK and changes nothing, not
 * even the reason.
 */
MUST_CHECK enum status booking_cancel(struct booking *booking, const struct auth_caller *caller,
                                      const char *reason, const struct moment *at,
                                      struct booking_change *change, struct error *refusal);

/* Applies the deletion of the booking's hospital. Changes only a live booking of mark->day or later. */
struct booking_change booking_force_cancel(struct booking *booking, const struct deletion_mark *mark,
                                           const struct moment *at);

/*
 * Fills in the refusal that CreateBooking returns for a REJECTED booking. `unavailable_ms` is the time for
 * which the breaker will block calls to hospital-svc; 0 = calls are not blocked. Returns FAILED_PRECONDITION.
 */
enum status booking_rejection(const struct booking *booking, uint32_t unavailable_ms, struct error *refusal);

#endif
