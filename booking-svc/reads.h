/* The read methods. Requests are validated here, then run and answered on the reader threads. */
#ifndef SCREENING_BOOKING_SVC_READS_H
#define SCREENING_BOOKING_SVC_READS_H

#include "base/status.h"
#include "rpc/server.h"
#include "writer/reader.h"

#include "screening/v1/booking.pb-c.h"

/* OK: the call will be answered. Otherwise the caller still owns it. nng callback threads. */
MUST_CHECK enum status reads_get_booking(struct reader_pool *readers,
                                         const Screening__V1__GetBookingRequest *input, struct rpc_call *call,
                                         struct error *error);

MUST_CHECK enum status reads_list_bookings(struct reader_pool *readers,
                                           const Screening__V1__ListBookingsRequest *input,
                                           struct rpc_call *call, struct error *error);

#endif
