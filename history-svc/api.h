/*
 * The RPC handlers of HistoryService. Each validates its request and submits a read to the pool. They never
 * block.
 */
#ifndef SCREENING_HISTORY_SVC_API_H
#define SCREENING_HISTORY_SVC_API_H

#include "intake.h"

#include "service/handler.h"

#include "screening/v1/history.pb-c.h"

struct history_api {
    struct handler_service service; /* must be first, because the handlers get it */
    struct reader_pool *readers;
    struct intake *intake;
};

/* Fills in the handlers. Set the other members before the server makes the first call. */
void history_api_init(struct history_api *api);

#endif
