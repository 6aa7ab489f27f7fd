/* The RPC handlers of BookingService: validate, turn into a command or a read, hand in. They never block. */
#ifndef BOOKING_SVC_API_H
#define BOOKING_SVC_API_H

#include "work.h"

#include "writer/reader.h"
#include "writer/writer.h"

#include "screening/v1/booking.pb-c.h"

struct booking_api {
    Screening__V1__BookingService_Service service; /* first: what the generated code hands back */
    struct work_table *works;
    struct writer *writer;
    struct reader_pool *readers;
};

/* Fills in the methods. The other members must be set before the server calls them. */
void booking_api_init(struct booking_api *api);

#endif
