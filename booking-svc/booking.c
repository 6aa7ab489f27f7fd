#include "booking.h"

#include <string.h>

#include "base/check.h"

const char BOOKING_EVENT_REQUESTED[] = "booking.requested";
const char BOOKING_EVENT_CONFIRMED[] = "booking.confirmed";
const char BOOKING_EVENT_REJECTED[] = "booking.rejected";
const char BOOKING_EVENT_CANCELLED[] = "booking.cancelled";
const char BOOKING_EVENT_FORCE_CANCELLED[] = "booking.force_cancelled";
const char BOOKING_EVENT_RELEASED[] = "booking.released";

/* The time after which a client may retry if hospital-svc did not answer. */
enum { UNAVAILABLE_RETRY_AFTER_MS = 1000 };

static const struct booking_change NO_CHANGE = {NULL};

bool booking_is_live(enum booking_status status)
{
    return status == BOOKING_REQUESTED || status == BOOKING_CONFIRMED;
}

/* The arrows of the diagram in booking.h. */
static bool may_become(enum booking_status from, enum booking_status to)
{
    if (from == BOOKING_REQUESTED)
        return to != BOOKING_REQUESTED;
    return from == BOOKING_CONFIRMED && (to == BOOKING_CANCELLED || to == BOOKING_FORCE_CANCELLED);
}

/* Makes every transition: increments the version and returns the event. */
static struct booking_change transition(struct booking *booking, enum booking_status status,
                                        const char *reason, const struct moment *at)
{
    static const char *const EVENTS[] = {
        [BOOKING_REQUESTED] = BOOKING_EVENT_REQUESTED,
        [BOOKING_CONFIRMED] = BOOKING_EVENT_CONFIRMED,
        [BOOKING_REJECTED] = BOOKING_EVENT_REJECTED,
        [BOOKING_CANCELLED] = BOOKING_EVENT_CANCELLED,
        [BOOKING_FORCE_CANCELLED] = BOOKING_EVENT_FORCE_CANCELLED,
    };
    CHECK(status >= BOOKING_REQUESTED && status <= BOOKING_FORCE_CANCELLED);
    CHECK(may_become(booking->status, status));
    CHECK(booking->version > 0);
    booking->status = status;
    booking->status_reason = reason;
    booking->updated_at_us = at->now_us;
    booking->version++;
    return (struct booking_change){EVENTS[status]};
}

static struct booking_change announce(struct booking *booking)
{
    CHECK(booking->status == BOOKING_REQUESTED);
    if (booking->announced)
        return NO_CHANGE;
    booking->announced = true;
    return (struct booking_change){BOOKING_EVENT_REQUESTED};
}

static const char REASON_ABANDONED[] = "ABANDONED";

/* No other rejection has this reason, and a rejection is final. */
static bool is_abandoned(const struct booking *booking)
{
    return booking->status == BOOKING_REJECTED && strcmp(booking->status_reason, REASON_ABANDONED) == 0;
}

enum status booking_create(const struct booking *existing, const struct booking *request,
                           const struct moment *at, struct booking *booking, struct error *refusal)
{
    CHECK(existing == NULL || uuid_equal(&existing->booking_id, &request->booking_id));
    if (existing != NULL) {
        if (!is_abandoned(existing) &&
            memcmp(existing->content_hash, request->content_hash, BOOKING_HASH_BYTES) != 0 &&
            memcmp(existing->content_hash, request->content_as_sent, BOOKING_HASH_BYTES) != 0)
            return error_set(refusal, STATUS_ALREADY_EXISTS, NULL,
                             "booking_id: a booking with this id and other content exists");
        return STATUS_OK;
    }
    if (request->refusal != NULL)
        return error_invalid(refusal, "%s", request->refusal);
    if (request->day < at->today)
        return error_invalid(refusal, "date: must be today or later");
    *booking = *request;
    booking->status = BOOKING_REQUESTED;
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
        return (struct booking_change){BOOKING_EVENT_RELEASED};
    }
    *booking = *place;
    booking->customer_id = "";
    booking->customer_name = "";
    booking->created_at_us = at->now_us;
    booking->status = BOOKING_REQUESTED;
    booking->version = 1; /* as if it had been REQUESTED but not announced */
    booking->announced = false;
    return transition(booking, BOOKING_REJECTED, REASON_ABANDONED, at);
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
    return transition(booking, BOOKING_REJECTED, "HOSPITAL_UNAVAILABLE", at);
}

/* Releases a place granted to a booking that has ended, even if hospital-svc has purged the tombstone. */
static struct booking_change settle_late(const struct booking *booking, enum reserve_outcome outcome)
{
    if (outcome == RESERVE_GRANTED && !booking_is_live(booking->status))
        return (struct booking_change){BOOKING_EVENT_RELEASED};
    return NO_CHANGE;
}

struct booking_change booking_settle(struct booking *booking, enum reserve_outcome outcome,
                                     const char *reason, bool by_settler, const struct deletion_mark *mark,
                                     const struct moment *at)
{
    CHECK(outcome <= RESERVE_BUDGET_SPENT);
    CHECK(outcome != RESERVE_REFUSED || reason[0] != '\0');
    if (booking->status != BOOKING_REQUESTED)
        return settle_late(booking, outcome);
    if (outcome == RESERVE_REFUSED)
        return transition(booking, BOOKING_REJECTED, reason, at);
    if (outcome == RESERVE_BUDGET_SPENT && !booking->queue_if_unavailable)
        return transition(booking, BOOKING_REJECTED, "BUDGET_SPENT", at);
    if (is_force_cancelled_by(booking, mark))
        return transition(booking, BOOKING_FORCE_CANCELLED, "HOSPITAL_DELETED", at);
    if (outcome == RESERVE_GRANTED)
        return transition(booking, BOOKING_CONFIRMED, "", at);
    return settle_unknown(booking, by_settler, at);
}

struct booking_change booking_resume(struct booking *booking, const struct moment *at)
{
    if (booking->status != BOOKING_REQUESTED)
        return NO_CHANGE;
    if (booking->day < at->today)
        return transition(booking, BOOKING_REJECTED, "DATE_NOT_OPEN", at);
    return announce(booking);
}

enum status booking_cancel(struct booking *booking, const char *reason, const struct moment *at,
                           struct booking_change *change, struct error *refusal)
{
    *change = NO_CHANGE;
    if (booking->status == BOOKING_CANCELLED)
        return STATUS_OK;
    if (!booking_is_live(booking->status))
        return error_set(refusal, STATUS_FAILED_PRECONDITION, "BOOKING_FINAL",
                         "the booking was refused or force-cancelled and can't be cancelled any more");
    if (booking->day < at->today)
        return error_set(refusal, STATUS_FAILED_PRECONDITION, "DATE_PASSED",
                         "the screening day has passed: the booking can't be cancelled any more");
    *change = transition(booking, BOOKING_CANCELLED, reason, at);
    CHECK(!booking_is_live(booking->status));
    return STATUS_OK;
}

struct booking_change booking_force_cancel(struct booking *booking, const struct deletion_mark *mark,
                                           const struct moment *at)
{
    if (!booking_is_live(booking->status) || !is_force_cancelled_by(booking, mark))
        return NO_CHANGE;
    return transition(booking, BOOKING_FORCE_CANCELLED, "HOSPITAL_DELETED", at);
}

enum status booking_rejection(const struct booking *booking, uint32_t unavailable_ms, struct error *refusal)
{
    static const struct {
        const char *reason, *message;
    } MESSAGES[] = {
        {"SOLD_OUT", "not enough places are left on this day"},
        {"HOSPITAL_NOT_FOUND", "there is no such hospital"},
        {"HOSPITAL_DELETED", "the hospital has been deleted"},
        {"DATE_NOT_OPEN", "the hospital does not screen on this day"},
        {"RELEASED", "the place of this booking was already given back"},
        {"HOSPITAL_UNAVAILABLE", "hospital-svc did not answer; another attempt needs a new booking_id"},
        {"BUDGET_SPENT",
         "the call's budget ended before a place was asked for; another attempt needs a new booking_id"},
        {REASON_ABANDONED, "the booking was lost and its place given back; another needs a new booking_id"},
    };
    CHECK(booking->status == BOOKING_REJECTED);
    const char *message = "hospital-svc refused the booking";
    for (size_t i = 0; i < sizeof MESSAGES / sizeof MESSAGES[0]; i++)
        if (strcmp(booking->status_reason, MESSAGES[i].reason) == 0)
            message = MESSAGES[i].message;
    error_set(refusal, STATUS_FAILED_PRECONDITION, booking->status_reason, "%s", message);
    if (strcmp(booking->status_reason, "HOSPITAL_UNAVAILABLE") == 0)
        refusal->retry_after_ms = unavailable_ms > 0 ? unavailable_ms : UNAVAILABLE_RETRY_AFTER_MS;
    return STATUS_FAILED_PRECONDITION;
}
