#include "wire.h"

#include "projection.h"

#include "base/civil.h"
#include "base/instant.h"
#include "base/uuid.h"

#include "screening/v1/words.h"

const char *wire_read_booking(const Screening__V1__Booking *booking, struct booking_row *row)
{
    if (booking->version == 0 || booking->version > INT64_MAX || booking->headcount > INT32_MAX)
        return "its booking's version or headcount is out of range";
    *row = (struct booking_row){
        .customer_id = booking->customer_id,
        .customer_name = booking->customer_name,
        .headcount = booking->headcount,
        .status = booking->status,
        .status_reason = booking->status_reason,
        .version = booking->version,
    };
    if (!uuid_parse(booking->booking_id, &row->booking_id) ||
        !uuid_parse(booking->hospital_id, &row->hospital_id))
        return "an id is no UUID";
    if (!civil_parse(booking->date, &row->day))
        return "its booking's date does not exist";
    if (!instant_read(booking->created_at, &row->created_at_us) ||
        !instant_read(booking->updated_at, &row->updated_at_us))
        return "its booking lacks an instant";
    return NULL;
}

/* A summary and everything that it points to. */
struct summary_wire {
    Screening__V1__BookingSummary message;
    Screening__V1__Booking booking;
    Google__Protobuf__Timestamp created_at, updated_at;
    char booking_id[UUID_TEXT_SIZE], hospital_id[UUID_TEXT_SIZE];
    char date[CIVIL_TEXT_SIZE];
};

static void fill_booking(struct summary_wire *wire, const struct booking_row *row)
{
    Screening__V1__Booking *message = &wire->booking;
    screening__v1__booking__init(message);
    instant_write(row->created_at_us, &wire->created_at);
    instant_write(row->updated_at_us, &wire->updated_at);
    message->booking_id = uuid_format(&row->booking_id, wire->booking_id);
    message->hospital_id = uuid_format(&row->hospital_id, wire->hospital_id);
    message->date = civil_format(row->day, wire->date);
    message->headcount = row->headcount;
    message->created_at = &wire->created_at;
    message->updated_at = &wire->updated_at;
    message->version = row->version;
}

Screening__V1__BookingSummary *wire_summary(struct arena *arena, const struct summary_row *row)
{
    const struct booking_row *booking = &row->booking;
    struct booking_view view = projection_view(booking->status, booking->day, &row->deletion);
    const char *reason = view.provisional ? SCREENING_REASON_HOSPITAL_DELETED : booking->status_reason;
    struct summary_wire *wire = arena_alloc(arena, sizeof *wire);
    if (wire == NULL)
        return NULL;
    fill_booking(wire, booking);
    wire->booking.status = view.status;
    wire->booking.customer_id = arena_strdup(arena, booking->customer_id);
    wire->booking.customer_name = arena_strdup(arena, booking->customer_name);
    wire->booking.status_reason = arena_strdup(arena, reason);
    screening__v1__booking_summary__init(&wire->message);
    wire->message.booking = &wire->booking;
    wire->message.hospital_name = arena_strdup(arena, row->hospital_name);
    wire->message.provisional = view.provisional;
    if (wire->booking.customer_id == NULL || wire->booking.customer_name == NULL ||
        wire->booking.status_reason == NULL || wire->message.hospital_name == NULL)
        return NULL;
    return &wire->message;
}

struct entry_wire {
    Screening__V1__HistoryEntry message;
    Google__Protobuf__Timestamp occurred_at;
    char event_id[UUID_TEXT_SIZE];
};

Screening__V1__HistoryEntry *wire_entry(struct arena *arena, const struct entry_row *row)
{
    struct entry_wire *wire = arena_alloc(arena, sizeof *wire);
    if (wire == NULL)
        return NULL;
    Screening__V1__HistoryEntry *message = &wire->message;
    screening__v1__history_entry__init(message);
    instant_write(row->occurred_at_us, &wire->occurred_at);
    message->version = row->version;
    message->status = row->status;
    message->reason = arena_strdup(arena, row->reason);
    message->occurred_at = &wire->occurred_at;
    message->event_id = uuid_format(&row->event_id, wire->event_id);
    message->source = arena_strdup(arena, row->source);
    message->seq = row->seq;
    return message->reason != NULL && message->source != NULL ? message : NULL;
}
