#include "intake.h"

#include "batch.h"

#include <stdlib.h>

#include "rpc/channel.h"

#include "screening/v1/words.h"

/*
 * For a transaction of a few dozen events, half of the time is overhead. Therefore the events of a busy log
 * are collected for a few ms. This delay does not matter to readers of histories. During catch-up, one
 * transaction takes as many events as one Fetch returns.
 */
enum { INTERVAL_MS = 3, CHUNK_MAX = 1000 };

static const char SUBSCRIBER[] = "history-svc";
static const char *const LOG_NAMES[INTAKE_LOG_COUNT] = {SCREENING_LOG_BOOKING, SCREENING_LOG_HOSPITAL};

struct intake {
    struct intake_options options;
    struct batch *batch;
    struct writer *writer;
    struct rpc_channel *channels[INTAKE_LOG_COUNT];
    struct event_follower *followers[INTAKE_LOG_COUNT];
};

enum status intake_open(const struct intake_options *options, struct db *db, struct intake **out,
                        struct error *error)
{
    const struct writer_options writer = {.batch_max = options->batch_max};
    struct intake *intake = calloc(1, sizeof *intake);
    if (intake == NULL)
        return error_no_memory(error);
    intake->options = *options;
    intake->batch = batch_create();
    const struct writer_ops ops = {.apply = batch_apply, .context = intake->batch};
    enum status status = intake->batch != NULL ? STATUS_OK : error_no_memory(error);
    if (status == STATUS_OK)
        status = writer_open(db, &writer, &ops, &intake->writer, error);
    if (status != STATUS_OK) {
        batch_destroy(intake->batch);
        free(intake);
        return status;
    }
    *out = intake;
    return STATUS_OK;
}

static enum status follow(struct intake *intake, enum intake_log log, struct error *error)
{
    const struct intake_source *source = &intake->options.sources[log];
    struct rpc_channel_options channel = {
        .address = source->rpc_address,
        .message_max_bytes = intake->options.message_max_bytes,
        .peer = source->peer.audience,
        .retry = {.min_per_s = 1}, /* how often a call may leave a silent replica */
    };
    security_introduce(&source->peer, &channel);
    enum status status = STATUS_OK;
    if (intake->channels[log] == NULL)
        status = rpc_channel_open(&channel, &intake->channels[log], error);
    if (status != STATUS_OK || intake->followers[log] != NULL)
        return status;
    const struct event_follower_options follower = {
        .log = LOG_NAMES[log],
        .subscriber = SUBSCRIBER,
        .events_addresses = source->events_addresses,
        .channel = intake->channels[log],
        .writer = intake->writer,
        .database_url = intake->options.database_url,
        .schema = intake->options.schema,
        .interval_ms = INTERVAL_MS,
        .chunk_max = CHUNK_MAX,
    };
    return event_follower_open(&follower, &intake->followers[log], error);
}

enum status intake_follow(struct intake *intake, struct error *error)
{
    TRY(follow(intake, INTAKE_BOOKING, error));
    return follow(intake, INTAKE_HOSPITAL, error);
}

const char *intake_log_name(enum intake_log log)
{
    return LOG_NAMES[log];
}

struct event_follower *intake_follower(const struct intake *intake, enum intake_log log)
{
    return intake->followers[log];
}

struct writer *intake_writer(const struct intake *intake)
{
    return intake->writer;
}

void intake_close(struct intake *intake)
{
    if (intake == NULL)
        return;
    for (size_t i = 0; i < INTAKE_LOG_COUNT; i++)
        event_follower_close(intake->followers[i]);
    for (size_t i = 0; i < INTAKE_LOG_COUNT; i++)
        if (intake->channels[i] != NULL)
            rpc_channel_close(intake->channels[i]);
    writer_close(intake->writer);
    batch_destroy(intake->batch);
    free(intake);
}
