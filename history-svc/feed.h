/*
 * Feeds both logs into one schema: the writer that applies them and the followers that fetch them. The
 * service runs one feed on the live schema; a rebuild runs another on its own schema.
 */
#ifndef SCREENING_HISTORY_SVC_FEED_H
#define SCREENING_HISTORY_SVC_FEED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "db/db.h"
#include "events/follower.h"
#include "writer/writer.h"

struct feed;

enum feed_log { FEED_BOOKING, FEED_HOSPITAL };
enum { FEED_LOG_COUNT = 2 };

/* Addresses of a publisher. */
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
 * Starts the writer. On success it takes over `db`, which must resolve names to the schema. The strings in
 * `options` must outlive the feed. Fails with RESOURCE_EXHAUSTED.
 */
MUST_CHECK enum status feed_open(const struct feed_options *options, struct db *db, struct feed **out,
                                 struct error *error);

/*
 * Starts to follow both logs. If it fails because the database is unreachable, call it again. Fails like
 * event_follower_open and rpc_channel_open.
 */
MUST_CHECK enum status feed_follow(struct feed *feed, struct error *error);

/* Returns "booking" or "hospital". */
const char *feed_log_name(enum feed_log log);

/* NULL before feed_follow. */
struct event_follower *feed_follower(const struct feed *feed, enum feed_log log);
struct writer *feed_writer(const struct feed *feed);

/* Stops both followers after their current chunk, then the writer. NULL is allowed. */
void feed_close(struct feed *feed);

#endif
