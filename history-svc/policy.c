#include "policy.h"

#include "base/civil.h"

enum { US_PER_S = 1000000, NS_PER_US = 1000, NANOS_MAX = 999999999 };

/* Range of google.protobuf.Timestamp: years 1 to 9999. */
static const int64_t SECONDS_MIN = INT64_C(-62135596800);
static const int64_t SECONDS_MAX = INT64_C(253402300799);

static enum status malformed(const Screening__V1__Event *event, const char *what, struct error *error)
{
    return error_set(error, STATUS_INTERNAL, NULL, "%.64s: %s", event->type, what);
}

static bool read_instant(const Google__Protobuf__Timestamp *timestamp, int64_t *instant_us)
{
    if (timestamp == NULL || timestamp->seconds < SECONDS_MIN || timestamp->seconds > SECONDS_MAX ||
        timestamp->nanos < 0 || timestamp->nanos > NANOS_MAX)
        return false;
    *instant_us = timestamp->seconds * US_PER_S + timestamp->nanos / NS_PER_US;
    return true;
}

static enum status read_booking(const Screening__V1__Event *event, enum booking_status promised,
                                struct booking_row *row, struct error *error)
{
    if (event->body_case != SCREENING__V1__EVENT__BODY_BOOKING)
        return malformed(event, "carries no booking", error);
    const Screening__V1__Booking *booking = event->booking;
    if ((int)booking->status != (int)promised)
        return malformed(event, "its booking has another status", error);
    if (booking->version == 0 || booking->version > INT64_MAX || booking->headcount > INT32_MAX)
        return malformed(event, "its booking's version or headcount is out of range", error);
    *row = (struct booking_row){
        .customer_id = booking->customer_id,
        .customer_name = booking->customer_name,
        .headcount = booking->headcount,
        .status = promised,
        .status_reason = booking->status_reason,
        .version = booking->version,
    };
    if (!uuid_parse(booking->booking_id, &row->booking_id) ||
        !uuid_parse(booking->hospital_id, &row->hospital_id))
        return malformed(event, "an id is no UUID", error);
    if (!civil_parse(booking->date, &row->day))
        return malformed(event, "its booking's date does not exist", error);
    if (!read_instant(booking->created_at, &row->created_at_us) ||
        !read_instant(booking->updated_at, &row->updated_at_us))
        return malformed(event, "its booking lacks an instant", error);
    return STATUS_OK;
}

static enum status react_to_booking(const char *log, const Screening__V1__Event *event,
                                    enum booking_status promised, struct reaction *out, struct error *error)
{
    enum status status = read_booking(event, promised, &out->booking, error);
    if (status != STATUS_OK)
        return status;
    out->entry = (struct entry_row){
        .booking_id = out->booking.booking_id,
        .version = out->booking.version,
        .status = out->booking.status,
        .reason = out->booking.status_reason,
        .source = log,
        .seq = event->seq,
    };
    if (!uuid_parse(event->event_id, &out->entry.event_id))
        return malformed(event, "event_id is no UUID", error);
    if (!read_instant(event->occurred_at, &out->entry.occurred_at_us))
        return malformed(event, "does not say when", error);
    return STATUS_OK;
}

static enum status react_to_hospital(const Screening__V1__Event *event, bool deleted, struct reaction *out,
                                     struct error *error)
{
    struct hospital_row *row = &out->hospital;
    if (event->body_case != SCREENING__V1__EVENT__BODY_HOSPITAL)
        return malformed(event, "carries no hospital", error);
    *row = (struct hospital_row){.name = event->hospital->name, .address = event->hospital->address};
    if (!uuid_parse(event->hospital->hospital_id, &row->hospital_id))
        return malformed(event, "hospital_id is no UUID", error);
    if (!deleted)
        return STATUS_OK;
    if (!read_instant(event->occurred_at, &row->deleted_at_us))
        return malformed(event, "does not say when", error);
    row->deletion = (struct hospital_deletion){true, civil_day_at(row->deleted_at_us)};
    return STATUS_OK;
}

enum status policy_react(const char *log, const Screening__V1__Event *event, struct reaction *out,
                         struct error *error)
{
    struct event_kind kind = projection_event_kind(log, event->type);
    out->meaning = kind.meaning;
    switch (kind.meaning) {
    case EVENT_BOOKING:
        return react_to_booking(log, event, kind.status, out, error);
    case EVENT_HOSPITAL_REGISTERED:
        return react_to_hospital(event, false, out, error);
    case EVENT_HOSPITAL_DELETED:
        return react_to_hospital(event, true, out, error);
    case EVENT_WITHOUT_EFFECT:
    case EVENT_UNKNOWN:
        return STATUS_OK;
    default:
        return error_set(error, STATUS_INTERNAL, NULL, "unknown meaning");
    }
}
