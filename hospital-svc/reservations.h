/* ListReservations: the live reservations, in order of booking_id, for an operator. Any thread. */
#ifndef SCREENING_HOSPITAL_SVC_RESERVATIONS_H
#define SCREENING_HOSPITAL_SVC_RESERVATIONS_H

#include "rpc/server.h"
#include "writer/reader.h"

#include "screening/v1/hospital.pb-c.h"

enum { RESERVATION_IDS_MAX = 500 };

/* Replies from a reader thread, or at once with an error. */
void reservations_list(struct reader_pool *readers, const Screening__V1__ListReservationsRequest *request,
                       struct rpc_call *call);

#endif
