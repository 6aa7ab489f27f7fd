/*
 * HospitalService handlers: validate the request, turn it into a command for the writer or a task for the
 * readers, and reply when that completes.
 */
#ifndef SCREENING_HOSPITAL_SVC_API_H
#define SCREENING_HOSPITAL_SVC_API_H

#include "writer/reader.h"
#include "writer/writer.h"

#include "screening/v1/hospital.pb-c.h"

struct hospital_api {
    Screening__V1__HospitalService_Service service; /* must be first: handlers cast it to hospital_api */
    struct writer *writer;                          /* both are set before rpc_server_serve, */
    struct reader_pool *readers;                    /* and outlive the RPC server */
};

/* Fills in the vtable. Pass `&api->service.base` to rpc_server_add. */
void hospital_api_init(struct hospital_api *api);

#endif
