/*
 * What the writer thread does with each batch of booking-svc: the batch itself, and what follows its commit.
 *
 *     apply -> commit -> eras to the reserver -> replies, held and sent together
 *     -> Reserves for the new bookings -> events -> wake the deletion job
 */
#ifndef SCREENING_BOOKING_SVC_FLOW_H
#define SCREENING_BOOKING_SVC_FLOW_H

#include "batch.h"
#include "deletion_job.h"
#include "pairing.h"
#include "reserver.h"

#include "base/status.h"
#include "events/event_log.h"
#include "rpc/server.h"
#include "service/app.h"

struct flow {
    struct event_log *log;
    struct batch *batch;
    struct rpc_server *server; /* NULL in a replay of dead letters */
    /* Set by the caller, who owns them: the first before flow_open, the others before the first command that
     * is not a replay. */
    struct pairing_service *pairing;
    struct reserver *reserver;
    struct deletion_job *deletions;
};

/* The writer part of the service: starts app->writer. RESOURCE_EXHAUSTED when out of memory or threads. */
MUST_CHECK enum status flow_open(struct flow *flow, struct app *app, struct error *error);

/* After writer_close. */
void flow_close(struct flow *flow);

#endif
