/* RPC handlers of BookingService. They validate a request, turn it into a command or a read, and submit it.
 * They never block. */
#ifndef SCREENING_BOOKING_SVC_API_H
#define SCREENING_BOOKING_SVC_API_H

#include "work.h"

#include "writer/reader.h"
#include "writer/writer.h"

#include "screening/v1/booking.pb-c.h"

struct booking_api {
    Screening__V1__BookingService_Service service; /* must be first: handlers cast it to booking_api */
    struct work_table *works;
    struct writer *writer;
    struct reader_pool *readers;
};

/* Fills in the vtable. Set the other members before the server calls a handler. */
void booking_api_init(struct booking_api *api);

#endif
