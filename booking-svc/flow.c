#include "flow.h"

static enum status apply(void *context, struct db *db, struct writer_command *const *commands, size_t count,
                         struct error *error)
{
    struct flow *flow = context;
    bool unavailable = flow->reserver != NULL && reserver_wait_ms(flow->reserver) > 0;
    batch_set_hospital_unavailable(flow->batch, unavailable);
    return batch_apply(flow->batch, db, commands, count, error);
}

static void completing(void *context)
{
    struct flow *flow = context;
    const struct event_era *era = event_log_era(flow->log);
    if (flow->reserver != NULL) /* before any Reserve for a booking of the batch is sent */
        reserver_set_eras(flow->reserver, era->id, era->peer);
    pairing_service_note_era(flow->pairing, era->id);
    if (flow->server != NULL)
        rpc_server_hold_answers(flow->server);
}

static void completed(void *context)
{
    struct flow *flow = context;
    if (flow->server != NULL)
        rpc_server_send_answers(flow->server);
}

static void committed(void *context)
{
    struct flow *flow = context;
    if (flow->reserver != NULL)
        reserver_flush(flow->reserver);
    event_log_publish(flow->log);
    /*
     * Keep this order. Another thread may set flow->deletions while batches without a deletion commit. A
     * batch with a deletion comes from the follower, which is opened after the job.
     */
    if (batch_began_deletion(flow->batch) && flow->deletions != NULL)
        deletion_job_wake(flow->deletions);
}

void flow_close(struct flow *flow)
{
    batch_destroy(flow->batch);
    event_log_destroy(flow->log);
}

enum status flow_open(struct flow *flow, struct app *app, struct error *error)
{
    const struct writer_ops ops = {
        .apply = apply,
        .completing = completing,
        .completed = completed,
        .committed = committed,
        .context = flow,
    };
    flow->server = app->server;
    flow->log = event_log_create(app->publisher);
    flow->batch = flow->log != NULL ? batch_create(flow->log) : NULL;
    enum status status = flow->batch != NULL ? app_open_writer(app, &ops, error) : error_no_memory(error);
    if (status != STATUS_OK)
        flow_close(flow);
    return status;
}
