/* The handlers of the methods that read the tables. */
#ifndef SCREENING_HISTORY_SVC_READS_H
#define SCREENING_HISTORY_SVC_READS_H

#include "service/handler.h"

enum status reads_get_history(void *api, const void *request, struct rpc_call *call, struct error *error);
enum status reads_list_customer(void *api, const void *request, struct rpc_call *call, struct error *error);

#endif
