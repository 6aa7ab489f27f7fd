#include "api.h"

#include "projection.h"
#include "reads.h"

#include "base/clock.h"

#include "screening/v1/words.h"

static void fill_log_status(Screening__V1__LogStatus *message, const struct intake *intake,
                            enum intake_log log)
{
    static const char *const STATES[] = {
        [FOLLOWER_CATCHING_UP] = SCREENING_LOG_STATE_CATCHING_UP,
        [FOLLOWER_FOLLOWING] = SCREENING_LOG_STATE_FOLLOWING,
        [FOLLOWER_DISCONNECTED] = SCREENING_LOG_STATE_DISCONNECTED,
        [FOLLOWER_DIVERGED] = SCREENING_LOG_STATE_DIVERGED,
        [FOLLOWER_STOPPED] = SCREENING_LOG_STATE_STOPPED,
    };
    struct event_follower_status status;
    event_follower_status(intake_follower(intake, log), &status);
    screening__v1__log_status__init(message);
    /* protobuf-c's strings are not const, but packing only reads them. */
    message->log = (char *)intake_log_name(log);
    message->applied_seq = status.applied_seq;
    message->head_seq = status.head_seq;
    message->lag_ms =
        projection_lag_ms(status.applied_seq, status.head_seq, status.oldest_unapplied_us, clock_now_us());
    message->dead_letters = status.dead_letters;
    message->state = (char *)STATES[status.state];
}

/* Answers immediately with the status that the followers have in memory. */
static enum status get_projection_status(void *service, const void *request, struct rpc_call *call,
                                         struct error *error)
{
    (void)request;
    (void)error;
    const struct history_api *api = service;
    Screening__V1__LogStatus messages[INTAKE_LOG_COUNT];
    Screening__V1__LogStatus *logs[INTAKE_LOG_COUNT];
    for (int i = 0; i < INTAKE_LOG_COUNT; i++) {
        fill_log_status(&messages[i], api->intake, (enum intake_log)i);
        logs[i] = &messages[i];
    }
    Screening__V1__GetProjectionStatusResponse response = SCREENING__V1__GET_PROJECTION_STATUS_RESPONSE__INIT;
    response.logs = logs;
    response.n_logs = INTAKE_LOG_COUNT;
    rpc_call_reply(call, &response.base);
    return STATUS_OK;
}

static const struct handler HANDLERS[] = {
    {"GetBookingHistory", reads_get_history},
    {"ListCustomerHistory", reads_list_customer},
    {"GetProjectionStatus", get_projection_status},
};

void history_api_init(struct history_api *api)
{
    handler_service_init(&api->service, &screening__v1__history_service__descriptor, HANDLERS);
}
