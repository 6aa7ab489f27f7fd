/* RPC handlers of HistoryService: each validates its request and submits a read to the pool. Never blocks. */
#ifndef SCREENING_HISTORY_SVC_API_H
#define SCREENING_HISTORY_SVC_API_H

#include "feed.h"

#include "writer/reader.h"

#include "screening/v1/history.pb-c.h"

struct history_api {
    Screening__V1__HistoryService_Service service; /* first member: the generated code passes it on */
    struct reader_pool *readers;
    struct feed *feed;
};

/* Fills in the methods. Set the other members before the server makes the first call. */
void history_api_init(struct history_api *api);

#endif
