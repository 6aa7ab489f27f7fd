/* Operator methods for use after a restore: LookUpBookings and AbandonBooking. Any thread. */
#ifndef SCREENING_BOOKING_SVC_REPAIR_H
#define SCREENING_BOOKING_SVC_REPAIR_H

#include "base/status.h"
#include "rpc/server.h"
#include "writer/reader.h"
#include "writer/writer.h"

#include "screening/v1/booking.pb-c.h"

enum { LOOK_UP_IDS_MAX = 500 };

/* OK: the call will be answered. Otherwise the caller must refuse it. */
MUST_CHECK enum status repair_look_up(struct reader_pool *readers,
                                      const Screening__V1__LookUpBookingsRequest *input,
                                      struct rpc_call *call, struct error *error);
MUST_CHECK enum status repair_abandon(struct writer *writer,
                                      const Screening__V1__AbandonBookingRequest *input,
                                      struct rpc_call *call, struct error *error);

#endif
