/*
 * The publisher's durable event log: events are appended in the transaction of the state change that they
 * tell.
 *
 * In every batch, on the writer thread, inside the transaction:
 *     event_log_take_head   first of all, in a statement of its own: it locks the head row, so that seq is
 * gapless and in commit order also with several replicas event_log_append ...  in the order of the decisions
 *     event_log_save        last
 * and after the commit event_log_publish; a batch that failed is forgotten by the next event_log_take_head.
 *
 * The head row also holds the database's era (era.h): taking the head begins one where that is due. As long
 * as db_stamp says that nobody else has written, the row is not read again.
 *
 * Tables (lib/events/migrations): event_log_head{log_id, head_seq, head_event_id, era ...}, event_log{seq,
 * event_id, type, occurred_at_us, event}, event_cursor{log, log_id, seq, event_id}, dead_letter{...}.
 */
#ifndef SCREENING_EVENTS_EVENT_LOG_H
#define SCREENING_EVENTS_EVENT_LOG_H

#include "era.h"

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/uuid.h"
#include "db/db.h"

#include "screening/v1/event.pb-c.h"

struct event_log;
struct event_publisher;

/*
 * Applies the migrations of the events tables ("events" in schema_version), and makes the log_id if there is
 * none.
 */
MUST_CHECK enum status events_migrate(struct db *db, struct error *error);

/* `publisher` may be NULL (nothing is published, for one-shot commands); it stays the caller's. NULL when out
 * of memory. */
struct event_log *event_log_create(struct event_publisher *publisher);
void event_log_destroy(struct event_log *log);

/*
 * The statement that takes the head, a constant of the service: COMMIT_NO is the SQL of a number that never
 * goes down in a PostgreSQL database that does not go back; on SQLite the session tells. Of a service whose
 * commits all append events "0" does.
 */
#define EVENT_LOCK_COLUMNS "SELECT log_id, head_seq, head_event_id, era_no, era, peer_era, paired"
#define EVENT_LOCK_HEAD(COMMIT_NO)                                                                           \
    {                                                                                                        \
        .name = "event_lock_head", .sql = EVENT_LOCK_COLUMNS " FROM event_log_head",                         \
        .postgresql =                                                                                        \
            EVENT_LOCK_COLUMNS ", tableoid::int8, " COMMIT_NO "::int8 FROM event_log_head FOR UPDATE"        \
    }

/* Takes the head by this statement from now on. Before the first batch. */
void event_log_lock_with(struct event_log *log, const struct db_statement *lock);

MUST_CHECK enum status event_log_take_head(struct event_log *log, struct db *db, struct error *error);

/* The batch has counted its commit: the number that COMMIT_NO gives is one more when it is committed. */
void event_log_note_commit(struct event_log *log);

/* The head and the era as the batch has taken them, the era as it was changed by era_pair. */
struct uuid event_log_id(const struct event_log *log);
uint64_t event_log_head_seq(const struct event_log *log);
struct uuid event_log_head_event_id(const struct event_log *log);
struct event_era *event_log_era(struct event_log *log);

/*
 * Adds an event; seq, event_id and, from the arguments, type, occurred_at and traceparent are filled in,
 * `body` gives the oneof (body_case and its member; the rest of *body is ignored). Everything is packed
 * before it returns.
 */
MUST_CHECK enum status event_log_append(struct event_log *log, const char *type, int64_t occurred_at_us,
                                        const char *traceparent, const Screening__V1__Event *body,
                                        struct error *error);

/* Writes what was appended and moves the head; nothing appended: writes nothing. */
MUST_CHECK enum status event_log_save(struct event_log *log, struct db *db, struct error *error);

/* After the commit: sends the batch's events as one message and wakes long polls. */
void event_log_publish(struct event_log *log);

#endif
