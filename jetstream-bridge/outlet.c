/*
 * The connection, and everything of libnats that belongs to it, is used on the follower's thread only. There
 * are two exceptions: note_failure runs on a thread of libnats, and any thread may look at the connection's
 * status with the lock held.
 */
#include "outlet.h"

#include "cloud_event.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address_list.h"
#include "base/log.h"
#include "base/metrics.h"

enum { WAIT_MS = 5000, STREAM_SIZE = 64, SUBJECTS_SIZE = 64, REASON_SIZE = 128, CHUNK_MAX = 1000 };

static struct metric published_total =
    METRIC("bridge_published_total", "Events that the broker has acknowledged");
static struct metric overtaken_total =
    METRIC("bridge_overtaken_total", "Times that another bridge had published the next event");

struct outlet {
    struct outlet_options options;
    char stream[STREAM_SIZE];
    struct rpc_channel *channel;
    struct event_follower *follower;
    jsCtx *jetstream;
    pthread_mutex_t lock;       /* guards the following members */
    natsConnection *connection; /* NULL = none; only the follower's thread changes it */
    jsErrCode refusal;          /* of the first publish that failed in this call of pass_on; 0 = none */
    char reason[REASON_SIZE];
};

/* ---- the connection ---- */

static void set_connection(struct outlet *outlet, natsConnection *connection)
{
    pthread_mutex_lock(&outlet->lock);
    outlet->connection = connection;
    pthread_mutex_unlock(&outlet->lock);
}

static void disconnect(struct outlet *outlet)
{
    natsConnection *connection = outlet->connection;
    set_connection(outlet, NULL);
    jsCtx_Destroy(outlet->jetstream);
    natsConnection_Destroy(connection);
    outlet->jetstream = NULL;
}

/* Called for each publish that the broker refuses, or that is not acknowledged. libnats frees `failed`. */
static void note_failure(jsCtx *jetstream, jsPubAckErr *failed, void *closure)
{
    struct outlet *outlet = closure;
    (void)jetstream;
    pthread_mutex_lock(&outlet->lock);
    if (outlet->reason[0] == '\0') {
        outlet->refusal = failed->ErrCode;
        (void)snprintf(outlet->reason, sizeof outlet->reason, "%s",
                       failed->ErrText != NULL ? failed->ErrText : natsStatus_GetText(failed->Err));
    }
    pthread_mutex_unlock(&outlet->lock);
}

static enum status connect_once(struct outlet *outlet, struct error *error)
{
    char server[ADDRESS_TEXT_SIZE] = "";
    natsConnection *connection = NULL;
    if (outlet_connected(outlet))
        return STATUS_OK;
    disconnect(outlet);
    TRY(broker_connect(outlet->options.broker, &connection, error));
    set_connection(outlet, connection);
    jsOptions options;
    (void)jsOptions_Init(&options);
    options.Wait = WAIT_MS;
    options.PublishAsync.ErrHandler = note_failure;
    options.PublishAsync.ErrHandlerClosure = outlet;
    natsStatus status = natsConnection_JetStream(&outlet->jetstream, outlet->connection, &options);
    if (status != NATS_OK)
        return broker_failed(status, "JetStream", error);
    (void)natsConnection_GetConnectedUrl(outlet->connection, server, sizeof server);
    log_event(LOG_INFO, "bridge.connected", LOG_TEXT("stream", outlet->stream), LOG_TEXT("server", server));
    return STATUS_OK;
}

/* ---- where to continue ---- */

static natsStatus create_stream(struct outlet *outlet)
{
    char subjects[SUBJECTS_SIZE];
    const char *list[] = {subjects};
    jsStreamConfig config;
    (void)snprintf(subjects, sizeof subjects, "screening.%s.>", outlet->options.log);
    (void)jsStreamConfig_Init(&config);
    config.Name = outlet->stream;
    config.Subjects = list;
    config.SubjectsLen = 1;
    config.Storage = js_FileStorage;
    config.Replicas = outlet->options.replicas;
    return js_AddStream(NULL, outlet->jetstream, &config, NULL, NULL);
}

/* Sets *last to the sequence of the stream's last message, 0 for a new stream. Creates a missing stream. */
static natsStatus find_last(struct outlet *outlet, uint64_t *last)
{
    jsStreamInfo *info = NULL;
    jsErrCode code = 0;
    natsStatus status = js_GetStreamInfo(&info, outlet->jetstream, outlet->stream, NULL, &code);
    *last = status == NATS_OK ? info->State.LastSeq : 0;
    jsStreamInfo_Destroy(info);
    if (code != JSStreamNotFoundErr)
        return status;
    status = create_stream(outlet);
    if (status == NATS_OK)
        log_event(LOG_INFO, "bridge.stream_created", LOG_TEXT("stream", outlet->stream));
    return status;
}

/*
 * Reads the event of the message at `last`. If the broker has deleted the message, for its age for example,
 * only the seq is known.
 */
static enum status read_event(struct outlet *outlet, uint64_t last, struct event_cursor *out,
                              struct error *error)
{
    natsMsg *message = NULL;
    jsErrCode code = 0;
    natsStatus found = js_GetMsg(&message, outlet->jetstream, outlet->stream, last, NULL, &code);
    if (code == JSNoMessageFoundErr) {
        out->seq = last;
        return STATUS_OK;
    }
    if (found != NATS_OK)
        return broker_failed(found, outlet->stream, error);
    enum status status = cloud_event_read(message, outlet->options.log, last, out);
    natsMsg_Destroy(message);
    if (status == STATUS_OK)
        return STATUS_OK;
    return error_set(error, STATUS_DATA_LOSS, NULL,
                     "stream %s: its last message, %llu, is no event %llu of the %s log", outlet->stream,
                     (unsigned long long)last, (unsigned long long)last, outlet->options.log);
}

static enum status load(void *context, struct event_cursor *out, struct error *error)
{
    struct outlet *outlet = context;
    uint64_t last = 0;
    TRY(connect_once(outlet, error));
    natsStatus found = find_last(outlet, &last);
    enum status status = found == NATS_OK ? STATUS_OK : broker_failed(found, outlet->stream, error);
    if (status == STATUS_OK && last > 0)
        status = read_event(outlet, last, out, error);
    if (status == STATUS_UNAVAILABLE)
        disconnect(outlet);
    return status;
}

/* ---- publishing ---- */

static enum status publish(struct outlet *outlet, const struct uuid *log_id,
                           const Screening__V1__Event *event, jsPubOptions *options, struct error *error)
{
    natsMsg *message = NULL;
    TRY(cloud_event_make(outlet->options.log, log_id, event, &message, error));
    natsStatus status = js_PublishMsgAsync(outlet->jetstream, &message, options);
    natsMsg_Destroy(message); /* NULL once libnats has taken it */
    return status == NATS_OK ? STATUS_OK : broker_failed(status, outlet->stream, error);
}

/* Sets `error` from the first publish that failed, if any. Sets *overtaken if another bridge was faster. */
static enum status outcome(struct outlet *outlet, bool *overtaken, struct error *error)
{
    enum status status = STATUS_OK;
    pthread_mutex_lock(&outlet->lock);
    *overtaken = outlet->refusal == JSStreamWrongLastSequenceErr;
    if (outlet->reason[0] != '\0')
        status = error_set(error, *overtaken ? STATUS_ABORTED : STATUS_UNAVAILABLE, NULL, "stream %s: %s",
                           outlet->stream, outlet->reason);
    pthread_mutex_unlock(&outlet->lock);
    return status;
}

static void forget_outcome(struct outlet *outlet)
{
    pthread_mutex_lock(&outlet->lock);
    outlet->refusal = 0;
    outlet->reason[0] = '\0';
    pthread_mutex_unlock(&outlet->lock);
}

/* Publishes all events without waiting for each, then waits for all acknowledgements. */
static enum status pass_on(void *context, const struct uuid *log_id, Screening__V1__Event *const *events,
                           size_t count, struct error *error)
{
    struct outlet *outlet = context;
    jsPubOptions options;
    enum status status = STATUS_OK;
    bool overtaken = false;
    if (outlet->connection == NULL)
        return error_set(error, STATUS_UNAVAILABLE, NULL, "not connected to NATS");
    forget_outcome(outlet);
    (void)jsPubOptions_Init(&options);
    options.ExpectStream = outlet->stream;
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        status = publish(outlet, log_id, events[i], &options, error);
    options.MaxWait = WAIT_MS;
    natsStatus complete = js_PublishAsyncComplete(outlet->jetstream, &options);
    if (status == STATUS_OK)
        status = outcome(outlet, &overtaken, error);
    if (status == STATUS_OK && complete != NATS_OK)
        status = broker_failed(complete, outlet->stream, error);
    if (status == STATUS_OK)
        metric_add(&published_total, (int64_t)count);
    else if (overtaken && complete == NATS_OK)
        metric_add(&overtaken_total, 1);
    else
        disconnect(outlet); /* forgets what is in flight */
    return status;
}

/* ---- opening and closing ---- */

static enum status start(struct outlet *outlet, struct error *error)
{
    const struct outlet_options *options = &outlet->options;
    struct rpc_channel_options channel = {
        .address = options->rpc_address,
        .message_max_bytes = options->message_max_bytes,
        .peer = options->peer.audience,
        .retry = {.min_per_s = 1}, /* how often a call may leave a silent replica */
    };
    security_introduce(&options->peer, &channel);
    TRY(rpc_channel_open(&channel, &outlet->channel, error));
    const struct event_follower_options follower = {
        .log = options->log,
        .subscriber = "jetstream-bridge",
        .events_addresses = options->events_addresses,
        .channel = outlet->channel,
        .outside = {.load = load, .pass_on = pass_on, .context = outlet},
        .chunk_max = CHUNK_MAX,
    };
    return event_follower_open(&follower, &outlet->follower, error);
}

enum status outlet_open(const struct outlet_options *options, struct outlet **out, struct error *error)
{
    struct outlet *outlet = calloc(1, sizeof *outlet);
    if (outlet == NULL)
        return error_no_memory(error);
    outlet->options = *options;
    (void)snprintf(outlet->stream, sizeof outlet->stream, "screening-%s", options->log);
    pthread_mutex_init(&outlet->lock, NULL);
    metric_register(&published_total);
    metric_register(&overtaken_total);
    enum status status = start(outlet, error);
    if (status == STATUS_OK)
        *out = outlet;
    else
        outlet_close(outlet);
    return status;
}

void outlet_close(struct outlet *outlet)
{
    if (outlet == NULL)
        return;
    event_follower_close(outlet->follower);
    if (outlet->channel != NULL)
        rpc_channel_close(outlet->channel);
    disconnect(outlet);
    pthread_mutex_destroy(&outlet->lock);
    free(outlet);
}

struct event_follower *outlet_follower(const struct outlet *outlet)
{
    return outlet->follower;
}

const char *outlet_stream(const struct outlet *outlet)
{
    return outlet->stream;
}

bool outlet_connected(struct outlet *outlet)
{
    pthread_mutex_lock(&outlet->lock);
    bool connected =
        outlet->connection != NULL && natsConnection_Status(outlet->connection) == NATS_CONN_STATUS_CONNECTED;
    pthread_mutex_unlock(&outlet->lock);
    return connected;
}

void outlet_look_after(struct outlet *outlet)
{
    if (!outlet_connected(outlet))
        event_follower_reread(outlet->follower);
}
