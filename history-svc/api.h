/* The RPC handlers of HistoryService: validate, turn into a read, hand in. They never block. */
#ifndef HISTORY_SVC_API_H
#define HISTORY_SVC_API_H

#include "feed.h"

#include "writer/reader.h"

#include "screening/v1/history.pb-c.h"

struct history_api {
    Screening__V1__HistoryService_Service service; /* first: what the generated code hands back */
    struct reader_pool *readers;
    struct feed *feed;
};

/* Fills in the methods. The other members must be set before the server calls them. */
void history_api_init(struct history_api *api);

#endif
