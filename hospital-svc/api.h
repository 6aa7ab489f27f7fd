/*
 * The handlers of HospitalService. They validate a request, turn it into a command for the writer or a task
 * for the readers, and reply once the command or task is complete.
 */
#ifndef SCREENING_HOSPITAL_SVC_API_H
#define SCREENING_HOSPITAL_SVC_API_H

#include "service/handler.h"

#include "screening/v1/hospital.pb-c.h"

struct hospital_api {
    struct handler_service service; /* must be first, because the handlers receive its address */
    struct writer *writer;          /* set before rpc_server_serve; outlives the RPC server */
    struct reader_pool *readers;    /* set before rpc_server_serve; outlives the RPC server */
};

/* Fills in the handlers. Pass `&api->service.base` to rpc_server_add. */
void hospital_api_init(struct hospital_api *api);

#endif
