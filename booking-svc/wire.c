#include "wire.h"

enum { US_PER_S = 1000000, NS_PER_US = 1000 };

static void fill_instant(Google__Protobuf__Timestamp *timestamp, int64_t instant_us)
{
    google__protobuf__timestamp__init(timestamp);
    timestamp->seconds = instant_us / US_PER_S;
    timestamp->nanos = (int32_t)(instant_us % US_PER_S) * NS_PER_US;
}

const Screening__V1__Booking *booking_wire_fill(struct booking_wire *wire, const struct booking *booking)
{
    Screening__V1__Booking *message = &wire->message;
    screening__v1__booking__init(message);
    fill_instant(&wire->created_at, booking->created_at_us);
    fill_instant(&wire->updated_at, booking->updated_at_us);
    /* protobuf-c's strings are not const, but packing only reads them. */
    message->booking_id = uuid_format(&booking->booking_id, wire->booking_id);
    message->customer_id = (char *)booking->customer_id;
    message->customer_name = (char *)booking->customer_name;
    message->hospital_id = uuid_format(&booking->hospital_id, wire->hospital_id);
    message->date = civil_format(booking->day, wire->date);
    message->headcount = booking->headcount;
    message->status = (Screening__V1__BookingStatus)booking->status;
    message->status_reason = (char *)booking->status_reason;
    message->created_at = &wire->created_at;
    message->updated_at = &wire->updated_at;
    message->version = booking->version;
    return message;
}
