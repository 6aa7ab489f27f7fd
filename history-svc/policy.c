#include "policy.h"

#include "wire.h"

#include "base/civil.h"
#include "base/instant.h"

static enum status malformed(const Screening__V1__Event *event, const char *what, struct error *error)
{
    return error_set(error, STATUS_INTERNAL, NULL, "%.64s: %s", event->type, what);
}

static enum status read_booking(const Screening__V1__Event *event, Screening__V1__BookingStatus promised,
                                struct booking_row *row, struct error *error)
{
    if (event->body_case != SCREENING__V1__EVENT__BODY_BOOKING)
        return malformed(event, "carries no booking", error);
    const Screening__V1__Booking *booking = event->booking;
    if (booking->status != promised)
        return malformed(event, "its booking has another status", error);
    const char *fault = wire_read_booking(booking, row);
    return fault == NULL ? STATUS_OK : malformed(event, fault, error);
}

static enum status react_to_booking(const char *log, const Screening__V1__Event *event,
                                    Screening__V1__BookingStatus promised, struct reaction *out,
                                    struct error *error)
{
    TRY(read_booking(event, promised, &out->booking, error));
    out->entry = (struct entry_row){
        .booking_id = out->booking.booking_id,
        .version = out->booking.message.version,
        .status = out->booking.message.status,
        .reason = out->booking.message.status_reason,
        .source = log,
        .seq = event->seq,
    };
    if (!uuid_parse(event->event_id, &out->entry.event_id))
        return malformed(event, "event_id is no UUID", error);
    if (!instant_read(event->occurred_at, &out->entry.occurred_at_us))
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
    if (!instant_read(event->occurred_at, &row->deleted_at_us))
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
