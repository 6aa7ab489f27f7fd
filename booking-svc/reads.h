/* The reading methods: checked here, run on the reader threads, answered from there. */
#ifndef BOOKING_SVC_READS_H
#define BOOKING_SVC_READS_H

#include "base/status.h"
#include "rpc/server.h"
#include "writer/reader.h"

#include "screening/v1/booking.pb-c.h"

/* OK: the call will be answered. Otherwise it is still the caller's. nng callback threads. */
MUST_CHECK enum status reads_get_booking(struct reader_pool *readers,
                                         const Screening__V1__GetBookingRequest *input, struct rpc_call *call,
                                         struct error *error);

MUST_CHECK enum status reads_list_bookings(struct reader_pool *readers,
                                           const Screening__V1__ListBookingsRequest *input,
                                           struct rpc_call *call, struct error *error);

#endif
