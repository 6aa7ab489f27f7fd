/*
 * The RPC handlers of BookingService. They validate a request, turn it into a command or a read, and submit
 * it. They never block.
 */
#ifndef SCREENING_BOOKING_SVC_API_H
#define SCREENING_BOOKING_SVC_API_H

#include "placements.h"

#include "service/handler.h"

#include "screening/v1/booking.pb-c.h"

struct booking_api {
    struct handler_service service; /* must be first, because the handlers receive its address */
    struct placements *placements;
    struct writer *writer;
    struct reader_pool *readers;
};

/* Fills in the handlers. Set the other members before the server calls a handler. */
void booking_api_init(struct booking_api *api);

#endif
