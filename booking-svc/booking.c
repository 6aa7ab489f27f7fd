#include "booking.h"

#include <string.h>

#include "base/check.h"

#include "screening/v1/words.h"

/* The delay before a client may retry after HOSPITAL_UNAVAILABLE, if the breaker is not blocking calls. */
enum { UNAVAILABLE_RETRY_AFTER_MS = 1000 };

static const struct booking_change NO_CHANGE = {NULL};

bool booking_is_live(Screening__V1__BookingStatus status)
{
    return status == SCREENING__V1__BOOKING_STATUS__REQUESTED ||
           status == SCREENING__V1__BOOKING_STATUS__CONFIRMED;
}

/* Returns whether the diagram in booking.h contains this transition. */
static bool may_become(Screening__V1__BookingStatus from, Screening__V1__BookingStatus to)
{
    if (from == SCREENING__V1__BOOKING_STATUS__REQUESTED)
        return to != SCREENING__V1__BOOKING_STATUS__REQUESTED;
    return from == SCREENING__V1__BOOKING_STATUS__CONFIRMED &&
           (to == SCREENING__V1__BOOKING_STATUS__CANCELLED ||
            to == SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED);
}

/* Performs a transition; no other function changes the status of an existing booking. Increments the version
 * and returns the event. */
static struct booking_change transition(struct booking *booking, Screening__V1__BookingStatus status,
                                        const char *reason, const struct moment *at)
{
    static const char *const EVENTS[] = {
        [SCREENING__V1__BOOKING_STATUS__REQUESTED] = SCREENING_EVENT_BOOKING_REQUESTED,
        [SCREENING__V1__BOOKING_STATUS__CONFIRMED] = SCREENING_EVENT_BOOKING_CONFIRMED,
        [SCREENING__V1__BOOKING_STATUS__REJECTED] = SCREENING_EVENT_BOOKING_REJECTED,
        [SCREENING__V1__BOOKING_STATUS__CANCELLED] = SCREENING_EVENT_BOOKING_CANCELLED,
        [SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED] = SCREENING_EVENT_BOOKING_FORCE_CANCELLED,
    };
    CHECK(status >= SCREENING__V1__BOOKING_STATUS__REQUESTED &&
          status <= SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED);
    CHECK(may_become(booking->status, status));
    CHECK(booking->version > 0);
    booking->status = status;
    booking->status_reason = reason;
    booking->updated_at_us = at->now_us;
    booking->version++;
    return (struct booking_change){EVENTS[status]};
}

static struct booking_change reject(struct booking *booking, const char *reason, const struct moment *at)
{
    return transition(booking, SCREENING__V1__BOOKING_STATUS__REJECTED, reason, at);
}

static struct booking_change announce(struct booking *booking)
{
    CHECK(booking->status == SCREENING__V1__BOOKING_STATUS__REQUESTED);
    if (booking->announced)
        return NO_CHANGE;
    booking->announced = true;
    return (struct booking_change){SCREENING_EVENT_BOOKING_REQUESTED};
}

/* Returns whether the booking was abandoned. No other rejection has this reason, and a rejection is final. */
static bool is_abandoned(const struct booking *booking)
{
    return booking->status == SCREENING__V1__BOOKING_STATUS__REJECTED &&
           strcmp(booking->status_reason, SCREENING_REASON_ABANDONED) == 0;
}

/* Returns whether the booking was abandoned, and the request is for its place: the only content it has. */
static bool is_lost_request(const struct booking *existing, const struct booking *request)
{
    return is_abandoned(existing) && uuid_equal(&existing->hospital_id, &request->hospital_id) &&
           existing->day == request->day && existing->headcount == request->headcount;
}

/* Refuses a request that must not make a new booking. */
static enum status check_new(const struct booking *request, const struct moment *at, struct error *refusal)
{
    if (request->refusal != NULL)
        return error_invalid(refusal, "%s", request->refusal);
    if (request->day < at->today)
        return error_invalid(refusal, "date: must be today or later");
    return STATUS_OK;
}

enum status booking_create(const struct booking *existing, bool same_content, const struct booking *request,
                           const struct auth_caller *caller, const struct moment *at, struct booking *booking,
                           struct error *refusal)
{
    CHECK(existing == NULL || uuid_equal(&existing->booking_id, &request->booking_id));
    if (existing == NULL || (!booking_is_visible(existing, caller) && !is_lost_request(existing, request)))
        TRY(check_new(request, at, refusal));
    if (existing != NULL && (same_content || is_abandoned(existing)))
        return STATUS_OK;
    if (existing != NULL)
        return error_set(refusal, STATUS_ALREADY_EXISTS, NULL,
                         "booking_id: a booking with this id and other content exists");
    *booking = *request;
    booking->status = SCREENING__V1__BOOKING_STATUS__REQUESTED;
    booking->status_reason = "";
    booking->created_at_us = at->now_us;
    booking->updated_at_us = at->now_us;
    booking->version = 1;
    booking->announced = false;
    return STATUS_OK;
}

struct booking_change booking_abandon(const struct booking *existing, const struct booking *place,
                                      const struct moment *at, struct booking *booking)
{
    if (existing != NULL) {
        if (booking_is_live(existing->status) || is_abandoned(existing))
            return NO_CHANGE;
        return (struct booking_change){SCREENING_EVENT_BOOKING_RELEASED};
    }
    *booking = *place;
    booking->customer_id = "";
    booking->customer_name = "";
    booking->created_at_us = at->now_us;
    booking->status = SCREENING__V1__BOOKING_STATUS__REQUESTED;
    booking->version = 1; /* as if the booking had been REQUESTED but not announced */
    booking->announced = false;
    return reject(booking, SCREENING_REASON_ABANDONED, at);
}

static bool is_force_cancelled_by(const struct booking *booking, const struct deletion_mark *mark)
{
    return mark->deleted && booking->day >= mark->day;
}

static struct booking_change settle_unknown(struct booking *booking, bool by_settler, const struct moment *at)
{
    if (by_settler)
        return NO_CHANGE;
    if (booking->queue_if_unavailable)
        return announce(booking);
    return reject(booking, SCREENING_REASON_HOSPITAL_UNAVAILABLE, at);
}

/* Releases a place that was granted to an ended booking, even if hospital-svc has purged the tombstone. */
static struct booking_change settle_late(const struct booking *booking, enum placement_outcome outcome)
{
    if (outcome == PLACEMENT_GRANTED && !booking_is_live(booking->status))
        return (struct booking_change){SCREENING_EVENT_BOOKING_RELEASED};
    return NO_CHANGE;
}

struct booking_change booking_settle(struct booking *booking, enum placement_outcome outcome,
                                     const char *reason, bool by_settler, const struct deletion_mark *mark,
                                     const struct moment *at)
{
    CHECK(outcome <= PLACEMENT_BUDGET_SPENT);
    CHECK(outcome != PLACEMENT_REFUSED || reason[0] != '\0');
    if (booking->status != SCREENING__V1__BOOKING_STATUS__REQUESTED)
        return settle_late(booking, outcome);
    if (outcome == PLACEMENT_REFUSED)
        return reject(booking, reason, at);
    if (outcome == PLACEMENT_BUDGET_SPENT && !booking->queue_if_unavailable)
        return reject(booking, SCREENING_REASON_BUDGET_SPENT, at);
    if (is_force_cancelled_by(booking, mark))
        return transition(booking, SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED,
                          SCREENING_REASON_HOSPITAL_DELETED, at);
    if (outcome == PLACEMENT_GRANTED)
        return transition(booking, SCREENING__V1__BOOKING_STATUS__CONFIRMED, "", at);
    return settle_unknown(booking, by_settler, at);
}

struct booking_change booking_resume(struct booking *booking, const struct moment *at)
{
    if (booking->status != SCREENING__V1__BOOKING_STATUS__REQUESTED)
        return NO_CHANGE;
    if (booking->day < at->today)
        return reject(booking, SCREENING_REASON_DATE_NOT_OPEN, at);
    return announce(booking);
}

enum status booking_not_found(struct error *refusal)
{
    return error_set(refusal, STATUS_NOT_FOUND, NULL, "booking_id: there is no such booking");
}

bool booking_is_visible(const struct booking *booking, const struct auth_caller *caller)
{
    return auth_caller_may_see(caller, booking->customer_id, &booking->hospital_id);
}

enum status booking_cancel(struct booking *booking, const struct auth_caller *caller, const char *reason,
                           const struct moment *at, struct booking_change *change, struct error *refusal)
{
    *change = NO_CHANGE;
    if (!booking_is_visible(booking, caller))
        return booking_not_found(refusal);
    if (booking->status == SCREENING__V1__BOOKING_STATUS__CANCELLED)
        return STATUS_OK;
    if (!booking_is_live(booking->status))
        return error_set(refusal, STATUS_FAILED_PRECONDITION, SCREENING_REASON_BOOKING_FINAL,
                         "the booking was refused or force-cancelled and can't be cancelled any more");
    if (booking->day < at->today)
        return error_set(refusal, STATUS_FAILED_PRECONDITION, SCREENING_REASON_DATE_PASSED,
                         "the screening day has passed: the booking can't be cancelled any more");
    *change = transition(booking, SCREENING__V1__BOOKING_STATUS__CANCELLED, reason, at);
    CHECK(!booking_is_live(booking->status));
    return STATUS_OK;
}

struct booking_change booking_force_cancel(struct booking *booking, const struct deletion_mark *mark,
                                           const struct moment *at)
{
    if (!booking_is_live(booking->status) || !is_force_cancelled_by(booking, mark))
        return NO_CHANGE;
    return transition(booking, SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED,
                      SCREENING_REASON_HOSPITAL_DELETED, at);
}

enum status booking_rejection(const struct booking *booking, uint32_t unavailable_ms, struct error *refusal)
{
    static const struct {
        const char *reason, *message;
    } MESSAGES[] = {
        {SCREENING_REASON_SOLD_OUT, "not enough places are left on this day"},
        {SCREENING_REASON_HOSPITAL_NOT_FOUND, "there is no such hospital"},
        {SCREENING_REASON_HOSPITAL_DELETED, "the hospital has been deleted"},
        {SCREENING_REASON_DATE_NOT_OPEN, "the hospital does not screen on this day"},
        {SCREENING_REASON_RELEASED, "the place of this booking was already given back"},
        {SCREENING_REASON_HOSPITAL_UNAVAILABLE,
         "hospital-svc did not answer; another attempt needs a new booking_id"},
        {SCREENING_REASON_BUDGET_SPENT,
         "the call's budget ended before a place was asked for; another attempt needs a new booking_id"},
        {SCREENING_REASON_ABANDONED,
         "the booking was lost and its place given back; another needs a new booking_id"},
    };
    CHECK(booking->status == SCREENING__V1__BOOKING_STATUS__REJECTED);
    const char *message = "hospital-svc refused the booking";
    for (size_t i = 0; i < sizeof MESSAGES / sizeof MESSAGES[0]; i++)
        if (strcmp(booking->status_reason, MESSAGES[i].reason) == 0)
            message = MESSAGES[i].message;
    error_set(refusal, STATUS_FAILED_PRECONDITION, booking->status_reason, "%s", message);
    if (strcmp(booking->status_reason, SCREENING_REASON_HOSPITAL_UNAVAILABLE) == 0)
        refusal->retry_after_ms = unavailable_ms > 0 ? unavailable_ms : UNAVAILABLE_RETRY_AFTER_MS;
    return STATUS_FAILED_PRECONDITION;
}
