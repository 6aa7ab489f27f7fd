/*
 * Applies both logs to one schema. An intake consists of the followers that fetch the logs and the writer
 * that applies them. The service runs one intake on the live schema, and a rebuild runs another on its own
 * schema.
 */
#ifndef SCREENING_HISTORY_SVC_INTAKE_H
#define SCREENING_HISTORY_SVC_INTAKE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "db/db.h"
#include "events/follower.h"
#include "service/security.h"
#include "writer/writer.h"

struct intake;

enum intake_log { INTAKE_BOOKING, INTAKE_HOSPITAL };
enum { INTAKE_LOG_COUNT = 2 };

/* The addresses of a publisher. */
struct intake_source {
    const char *rpc_address;
    const char *events_addresses;
    struct security_peer peer; /* how the intake proves who it is */
};

struct intake_options {
    const char *database_url;
    const char *schema;
    size_t batch_max;
    size_t message_max_bytes;
    struct intake_source sources[INTAKE_LOG_COUNT];
};

/*
 * Starts the writer. On success takes ownership of `db`, which must resolve names to the schema. The strings
 * in `options` must outlive the intake. Returns RESOURCE_EXHAUSTED on failure.
 */
MUST_CHECK enum status intake_open(const struct intake_options *options, struct db *db, struct intake **out,
                                   struct error *error);

/*
 * Starts to follow both logs. Returns the statuses of event_follower_open and rpc_channel_open. If the call
 * fails because the database is unreachable, repeat the call.
 */
MUST_CHECK enum status intake_follow(struct intake *intake, struct error *error);

/* Returns "booking" or "hospital". */
const char *intake_log_name(enum intake_log log);

/* Returns the follower of the log, or NULL before intake_follow. */
struct event_follower *intake_follower(const struct intake *intake, enum intake_log log);
struct writer *intake_writer(const struct intake *intake);

/* Stops both followers after their current chunk, then the writer. NULL is allowed. */
void intake_close(struct intake *intake);

#endif
