#include "wire.h"

#include "base/instant.h"

const Screening__V1__Booking *booking_wire_fill(struct booking_wire *wire, const struct booking *booking)
{
    Screening__V1__Booking *message = &wire->message;
    screening__v1__booking__init(message);
    instant_write(booking->created_at_us, &wire->created_at);
    instant_write(booking->updated_at_us, &wire->updated_at);
    /* protobuf-c's strings are not const, but packing only reads them. */
    message->booking_id = uuid_format(&booking->booking_id, wire->booking_id);
    message->customer_id = (char *)booking->customer_id;
    message->customer_name = (char *)booking->customer_name;
    message->hospital_id = uuid_format(&booking->hospital_id, wire->hospital_id);
    message->date = civil_format(booking->day, wire->date);
    message->headcount = booking->headcount;
    message->status = booking->status;
    message->status_reason = (char *)booking->status_reason;
    message->created_at = &wire->created_at;
    message->updated_at = &wire->updated_at;
    message->version = booking->version;
    return message;
}
