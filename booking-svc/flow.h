/*
 * The work of booking-svc's writer thread for each batch: the batch itself, and the steps after its commit.
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
    struct rpc_server *server; /* NULL while dead letters are replayed */
    /*
     * The caller sets and owns these members: `pairing` before flow_open, the others before the first command
     * that is not a replay.
     */
    struct pairing_service *pairing;
    struct reserver *reserver;
    struct deletion_job *deletions;
};

/*
 * Starts the service's writer and sets app->writer. Returns RESOURCE_EXHAUSTED when out of memory, or if the
 * thread cannot be started.
 */
MUST_CHECK enum status flow_open(struct flow *flow, struct app *app, struct error *error);

/* Frees the batch and the log, which the writer used. Call flow_close after writer_close. */
void flow_close(struct flow *flow);

#endif
