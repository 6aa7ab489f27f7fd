/* The handlers of the methods that only read. */
#ifndef SCREENING_BOOKING_SVC_READS_H
#define SCREENING_BOOKING_SVC_READS_H

#include "service/handler.h"

enum { LOOK_UP_IDS_MAX = 500 };

enum status reads_get_booking(void *api, const void *request, struct rpc_call *call, struct error *error);
enum status reads_list_bookings(void *api, const void *request, struct rpc_call *call, struct error *error);
enum status reads_look_up_bookings(void *api, const void *request, struct rpc_call *call,
                                   struct error *error);

#endif
