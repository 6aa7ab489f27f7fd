/*
 * The RPC handlers of HistoryService. They never block. GetProjectionStatus is answered from memory. The
 * other handlers validate the request and submit a read to the pool.
 */
#ifndef SCREENING_HISTORY_SVC_API_H
#define SCREENING_HISTORY_SVC_API_H

#include "intake.h"

#include "service/handler.h"

#include "screening/v1/history.pb-c.h"

struct history_api {
    struct handler_service service; /* must be first, because the handlers receive its address */
    struct reader_pool *readers;
    struct intake *intake;
};

/* Fills in the handlers. Set the other members before the server calls a handler. */
void history_api_init(struct history_api *api);

#endif
