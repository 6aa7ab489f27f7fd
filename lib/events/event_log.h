/*
 * The publisher's durable event log, a transactional outbox. Events are appended in the transaction of the
 * state change that they record.
 *
 * In every batch, on the writer thread, inside the transaction:
 *     event_log_take_head   first, in a separate statement
 *     event_log_append ...  in the order of the decisions
 *     event_log_save        last
 * and event_log_publish after the commit. The next event_log_take_head discards a failed batch. Taking the
 * head locks the head row, which keeps seq gapless and in commit order even with several replicas.
 *
 * The head row also holds the database's era (era.h). Taking the head begins an era when one is due. As long
 * as db_stamp shows that no other connection has written, the row is not read again.
 *
 * Tables (lib/events/migrations): event_log_head{log_id, head_seq, head_event_id, era ...}, event_log{seq,
 * event_id, type, occurred_at_us, event, subject}, event_cursor{log, log_id, seq, event_id, era},
 * dead_letter{...}.
 */
#ifndef SCREENING_EVENTS_EVENT_LOG_H
#define SCREENING_EVENTS_EVENT_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/uuid.h"
#include "db/db.h"
#include "events/era.h"

#include "screening/v1/event.pb-c.h"

struct event_log;
struct event_publisher;

/*
 * Applies the migrations of the events tables ("events" in schema_version) and creates the log_id if there is
 * none.
 */
MUST_CHECK enum status events_migrate(struct db *db, struct error *error);

/*
 * Creates the log. The caller keeps ownership of `publisher`. If it is NULL (for one-shot commands), nothing
 * is published. Returns NULL when out of memory.
 */
struct event_log *event_log_create(struct event_publisher *publisher);
void event_log_destroy(struct event_log *log);

/*
 * Initialises the statement that takes the head. Each service defines its own. COMMIT_NO is an SQL expression
 * whose value decreases only if the PostgreSQL database reverts to an earlier state; on SQLite, db_session
 * detects this. TABLE is ", name", where `name` is a table with one row and the columns in COMMIT_NO. The
 * statement locks this row too. (After waiting for a lock, PostgreSQL reads the locked rows again, but a
 * subselect would still see the old snapshot.) Use "0" and "" for a service in which every commit appends
 * events.
 */
#define EVENT_LOCK_COLUMNS "SELECT log_id, head_seq, head_event_id, era_no, era, peer_era, paired"
#define EVENT_LOCK_HEAD(COMMIT_NO, TABLE)                                                                    \
    {                                                                                                        \
        .name = "event_lock_head", .sql = EVENT_LOCK_COLUMNS " FROM event_log_head",                         \
        .postgresql = EVENT_LOCK_COLUMNS ", event_log_head.tableoid::int8, " COMMIT_NO "::int8"              \
                                         " FROM event_log_head" TABLE " FOR UPDATE"                          \
    }

/* Sets the statement that takes the head. Call it before the first batch. */
void event_log_lock_with(struct event_log *log, const struct db_statement *lock);

MUST_CHECK enum status event_log_take_head(struct event_log *log, struct db *db, struct error *error);

/* Records that the batch has incremented COMMIT_NO. */
void event_log_note_commit(struct event_log *log);

/* Return the head and the era that the batch has taken. The era includes changes by era_pair. */
struct uuid event_log_id(const struct event_log *log);
uint64_t event_log_head_seq(const struct event_log *log);
struct uuid event_log_head_event_id(const struct event_log *log);
struct event_era *event_log_era(struct event_log *log);

/*
 * Appends an event, which is packed immediately. The log assigns seq and event_id, and sets type, occurred_at
 * and traceparent from the arguments. `body` supplies the oneof (body_case and its member). Its other fields
 * are ignored. `subject` is the id of what the event is about. It is a column for readers of the table, and
 * no part of the packed event.
 */
MUST_CHECK enum status event_log_append(struct event_log *log, const char *type, const struct uuid *subject,
                                        int64_t occurred_at_us, const char *traceparent,
                                        const Screening__V1__Event *body, struct error *error);

/* Writes the appended events, if any, and moves the head. */
MUST_CHECK enum status event_log_save(struct event_log *log, struct db *db, struct error *error);

/* Sends the batch's events as one message and wakes the long polls. Call it after the commit. */
void event_log_publish(struct event_log *log);

#endif
