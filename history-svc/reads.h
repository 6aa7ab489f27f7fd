/* The methods that read the tables: the caller validates, the reader threads run the read and respond. */
#ifndef SCREENING_HISTORY_SVC_READS_H
#define SCREENING_HISTORY_SVC_READS_H

#include "base/status.h"
#include "rpc/server.h"
#include "writer/reader.h"

#include "screening/v1/history.pb-c.h"

/* On OK the call will be answered; otherwise the caller keeps it. Called on nng's callback threads. */
MUST_CHECK enum status reads_get_history(struct reader_pool *readers,
                                         const Screening__V1__GetBookingHistoryRequest *input,
                                         struct rpc_call *call, struct error *error);

MUST_CHECK enum status reads_list_customer(struct reader_pool *readers,
                                           const Screening__V1__ListCustomerHistoryRequest *input,
                                           struct rpc_call *call, struct error *error);

#endif
