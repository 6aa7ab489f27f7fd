#include "feed.h"

#include "batch.h"

#include <stdlib.h>

#include "rpc/channel.h"

/*
 * For a few dozen events, the transaction itself is half the cost. On a busy log events therefore gather for
 * a few ms, which no reader of histories notices. During catch-up, one transaction takes as many events as
 * one Fetch returns.
 */
enum { INTERVAL_MS = 3, CHUNK_MAX = 1000 };

static const char SUBSCRIBER[] = "history-svc";
static const char *const LOG_NAMES[FEED_LOG_COUNT] = {"booking", "hospital"};

struct feed {
    struct feed_options options;
    struct batch *batch;
    struct writer *writer;
    struct rpc_channel *channels[FEED_LOG_COUNT];
    struct event_follower *followers[FEED_LOG_COUNT];
};

enum status feed_open(const struct feed_options *options, struct db *db, struct feed **out,
                      struct error *error)
{
    const struct writer_options writer = {.batch_max = options->batch_max};
    struct feed *feed = calloc(1, sizeof *feed);
    if (feed == NULL)
        return error_no_memory(error);
    feed->options = *options;
    feed->batch = batch_create();
    const struct writer_ops ops = {.apply = batch_apply, .context = feed->batch};
    enum status status = feed->batch != NULL ? STATUS_OK : error_no_memory(error);
    if (status == STATUS_OK)
        status = writer_open(db, &writer, &ops, &feed->writer, error);
    if (status != STATUS_OK) {
        batch_destroy(feed->batch);
        free(feed);
        return status;
    }
    *out = feed;
    return STATUS_OK;
}

static enum status follow(struct feed *feed, enum feed_log log, struct error *error)
{
    const struct feed_source *source = &feed->options.sources[log];
    const struct rpc_channel_options channel = {
        .address = source->rpc_address,
        .message_max_bytes = feed->options.message_max_bytes,
    };
    enum status status = STATUS_OK;
    if (feed->channels[log] == NULL)
        status = rpc_channel_open(&channel, &feed->channels[log], error);
    if (status != STATUS_OK || feed->followers[log] != NULL)
        return status;
    const struct event_follower_options follower = {
        .log = LOG_NAMES[log],
        .subscriber = SUBSCRIBER,
        .events_address = source->events_address,
        .channel = feed->channels[log],
        .writer = feed->writer,
        .database_url = feed->options.database_url,
        .schema = feed->options.schema,
        .interval_ms = INTERVAL_MS,
        .chunk_max = CHUNK_MAX,
    };
    return event_follower_open(&follower, &feed->followers[log], error);
}

enum status feed_follow(struct feed *feed, struct error *error)
{
    TRY(follow(feed, FEED_BOOKING, error));
    return follow(feed, FEED_HOSPITAL, error);
}

const char *feed_log_name(enum feed_log log)
{
    return LOG_NAMES[log];
}

struct event_follower *feed_follower(const struct feed *feed, enum feed_log log)
{
    return feed->followers[log];
}

struct writer *feed_writer(const struct feed *feed)
{
    return feed->writer;
}

void feed_close(struct feed *feed)
{
    if (feed == NULL)
        return;
    for (size_t i = 0; i < FEED_LOG_COUNT; i++)
        event_follower_close(feed->followers[i]);
    for (size_t i = 0; i < FEED_LOG_COUNT; i++)
        if (feed->channels[i] != NULL)
            rpc_channel_close(feed->channels[i]);
    writer_close(feed->writer);
    batch_destroy(feed->batch);
    free(feed);
}
