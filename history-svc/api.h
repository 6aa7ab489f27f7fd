/* RPC handlers of HistoryService: each validates its request and submits a read to the pool. Never blocks. */
#ifndef SCREENING_HISTORY_SVC_API_H
#define SCREENING_HISTORY_SVC_API_H

#include "intake.h"

#include "service/handler.h"

#include "screening/v1/history.pb-c.h"

struct history_api {
    struct handler_service service; /* first member: the handlers get it */
    struct reader_pool *readers;
    struct intake *intake;
};

/* Fills in the handlers. Set the other members before the server makes the first call. */
void history_api_init(struct history_api *api);

#endif
