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
    *row = (struct booking_row){.message = *booking};
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
    struct booking_row booking;
    Google__Protobuf__Timestamp created_at, updated_at;
    char booking_id[UUID_TEXT_SIZE], hospital_id[UUID_TEXT_SIZE];
    char date[CIVIL_TEXT_SIZE];
};

static void fill_booking(struct summary_wire *wire)
{
    const struct booking_row *row = &wire->booking;
    Screening__V1__Booking *message = &wire->booking.message;
    instant_write(row->created_at_us, &wire->created_at);
    instant_write(row->updated_at_us, &wire->updated_at);
    message->booking_id = uuid_format(&row->booking_id, wire->booking_id);
    message->hospital_id = uuid_format(&row->hospital_id, wire->hospital_id);
    message->date = civil_format(row->day, wire->date);
    message->created_at = &wire->created_at;
    message->updated_at = &wire->updated_at;
}

Screening__V1__BookingSummary *wire_summary(struct arena *arena, const struct summary_row *row)
{
    struct booking_view view = projection_view(row->booking.message.status, row->booking.day, &row->deletion);
    struct summary_wire *wire = arena_alloc(arena, sizeof *wire);
    if (wire == NULL)
        return NULL;
    wire->booking = row->booking;
    Screening__V1__Booking *booking = &wire->booking.message;
    booking->status = view.status;
    if (view.provisional)
        booking->status_reason = (char *)SCREENING_REASON_HOSPITAL_DELETED; /* only read, and copied below */
    fill_booking(wire);
    screening__v1__booking_summary__init(&wire->message);
    wire->message.booking = booking;
    wire->message.hospital_name = arena_strdup(arena, row->hospital_name);
    wire->message.provisional = view.provisional;
    if (!store_keep_booking(&wire->booking, arena) || wire->message.hospital_name == NULL)
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
