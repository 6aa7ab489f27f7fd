/*
 * The read methods: GetHospital, ListHospitals, GetAvailability. Each validates its request on the caller's
 * thread and replies from a reader thread. If the request is invalid or the queue refuses it, it replies with
 * the error at once. Any thread.
 */
#ifndef SCREENING_HOSPITAL_SVC_READS_H
#define SCREENING_HOSPITAL_SVC_READS_H

#include "rpc/server.h"
#include "writer/reader.h"

#include "screening/v1/hospital.pb-c.h"

void reads_get_hospital(struct reader_pool *readers, const Screening__V1__GetHospitalRequest *request,
                        struct rpc_call *call);
void reads_list_hospitals(struct reader_pool *readers, const Screening__V1__ListHospitalsRequest *request,
                          struct rpc_call *call);
void reads_get_availability(struct reader_pool *readers, const Screening__V1__GetAvailabilityRequest *request,
                            struct rpc_call *call);

#endif
