/* Converts a booking to the protobuf message used in replies and events. */
#ifndef SCREENING_BOOKING_SVC_WIRE_H
#define SCREENING_BOOKING_SVC_WIRE_H

#include "booking.h"

#include "base/civil.h"
#include "base/uuid.h"

#include "screening/v1/types.pb-c.h"

/*
 * The message, with the strings formatted for it. Other strings are the booking's. Do not copy the struct,
 * because the message points into it.
 */
struct booking_wire {
    Screening__V1__Booking message;
    Google__Protobuf__Timestamp created_at, updated_at;
    char booking_id[UUID_TEXT_SIZE], hospital_id[UUID_TEXT_SIZE];
    char date[CIVIL_TEXT_SIZE];
};

/* Fills `wire` and returns its message, which is valid as long as `wire` and the booking's strings are. Any
 * thread. */
const Screening__V1__Booking *booking_wire_fill(struct booking_wire *wire, const struct booking *booking);

#endif
