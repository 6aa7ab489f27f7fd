/*
 * Both logs into one schema: the writer that applies them and the subscribers that follow them. The service
 * has one on the live schema, a rebuild one on its own.
 */
#ifndef HISTORY_SVC_FEED_H
#define HISTORY_SVC_FEED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "db/db.h"
#include "events/subscriber.h"
#include "writer/writer.h"

struct feed;

enum feed_log { FEED_BOOKING, FEED_HOSPITAL };
enum { FEED_LOG_COUNT = 2 };

/* Where a publisher is reached. */
struct feed_source {
    const char *rpc_address;
    const char *events_address;
};

struct feed_options {
    const char *database_url;
    const char *schema;
    size_t batch_max;
    size_t message_max_bytes;
    struct feed_source sources[FEED_LOG_COUNT];
};

/*
 * Starts the writer. Takes over `db`, which resolves names to the schema, unless it fails; the options' texts
 * must live as long as the feed. RESOURCE_EXHAUSTED.
 */
MUST_CHECK enum status feed_open(const struct feed_options *options, struct db *db, struct feed **out,
                                 struct error *error);

/*
 * Begins to follow both logs. When it has failed, because the database went away, it may be called again.
 * Fails as event_subscriber_open and rpc_channel_open do.
 */
MUST_CHECK enum status feed_follow(struct feed *feed, struct error *error);

/* "booking", "hospital". */
const char *feed_log_name(enum feed_log log);

/* NULL before feed_follow. */
struct event_subscriber *feed_subscriber(const struct feed *feed, enum feed_log log);
struct writer *feed_writer(const struct feed *feed);

/* Ends both after the chunk in hand, then the writer. NULL is allowed. */
void feed_close(struct feed *feed);

#endif
