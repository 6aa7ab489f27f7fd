/* The handlers of the methods that only read. */
#ifndef SCREENING_HOSPITAL_SVC_READS_H
#define SCREENING_HOSPITAL_SVC_READS_H

#include "service/handler.h"

enum { RESERVATION_IDS_MAX = 500 };

enum status reads_get_hospital(void *api, const void *request, struct rpc_call *call, struct error *error);
enum status reads_list_hospitals(void *api, const void *request, struct rpc_call *call, struct error *error);
enum status reads_get_availability(void *api, const void *request, struct rpc_call *call,
                                   struct error *error);
enum status reads_list_reservations(void *api, const void *request, struct rpc_call *call,
                                    struct error *error);

#endif
