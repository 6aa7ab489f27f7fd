/*
 * A batch ends in one of three ways. It is committed. It fails for a transient reason, after any retries. Or
 * it is poisoned or touches a damaged page, and its commands are then run one by one.
 *
 * After each commit, the commands of that transaction are completed and `committed` is called before the next
 * transaction begins. So no other transaction overwrites the data that `apply` passes to `committed` (events
 * to publish).
 */
#include "writer/group_commit.h"

#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fault_point.h"
#include "base/log.h"
#include "base/repeat.h"
#include "writer/trouble.h"
#include "writer/writer_metrics.h"

/*
 * The maximum number of retries after serialisation failures. A conflict is over once the other transaction
 * ends, so further failures probably have a different cause.
 */
enum { ABORT_RETRIES = 5 };

/*
 * The pause between attempts after a lost COMMIT. It is short, because lib/db itself backs off, starting at
 * 100 ms.
 */
enum { LOST_PAUSE_MS = 20 };

enum { RETRY_AFTER_MS = 200 };

/* For how long the database may be silent before it counts as unusable. */
enum { SILENCE_MAX_MS = 2000 };

static void pause_ms(int64_t ms)
{
    struct timespec pause = {.tv_sec = 0, .tv_nsec = (long)(ms * NS_PER_MS)};
    nanosleep(&pause, NULL); /* may end early; the caller checks the clock */
}

/* ---- one transaction ---- */

static void start_listening(struct group_commit *commit)
{
    atomic_store(&commit->heard_ns, clock_monotonic_ns());
}

static void stop_listening(struct group_commit *commit)
{
    atomic_store(&commit->heard_ns, 0);
}

/* Notes that the database has answered, unless the status says that it did not do its work. */
static void note_answer(struct group_commit *commit, enum status status)
{
    if (status == STATUS_OK || !status_is_transient(status))
        start_listening(commit);
}

/* Notes whether a transaction could begin. A database that is unusable for another reason is not away. */
static void note_away(struct group_commit *commit, enum status status, const struct error *error)
{
    struct error ignored;
    atomic_store(&commit->away, status == STATUS_UNAVAILABLE && !trouble_report(error, &ignored));
}

/* Sets *at_commit to whether the transaction has come to its COMMIT. */
static enum status apply_once(struct group_commit *commit, struct writer_command **commands, size_t count,
                              bool *at_commit, struct error *error)
{
    *at_commit = false;
    error_clear(error);
    for (size_t i = 0; i < count; i++)
        error_clear(&commands[i]->outcome);
    FAULT_POINT("writer.before_begin");
    enum status status = db_begin(commit->db, error); /* PostgreSQL does not answer it yet */
    note_away(commit, status, error);
    if (status == STATUS_OK) {
        FAULT_POINT("writer.before_apply");
        status = commit->ops.apply(commit->ops.context, commit->db, commands, count, error);
    }
    if (status == STATUS_OK) {
        FAULT_POINT("writer.before_commit");
        note_answer(commit, STATUS_OK);
        *at_commit = true;
        status = db_commit(commit->db, error);
    }
    note_answer(commit, status);
    if (status == STATUS_OK) {
        FAULT_POINT("writer.after_commit");
        metric_add(&writer_metrics.commits, 1);
        return STATUS_OK;
    }
    db_rollback(commit->db);
    metric_add(&writer_metrics.rollbacks, 1);
    return status;
}

/* Returns whether a transaction failed between its begin and its COMMIT, on a database that is sound. */
static bool is_worth_repeating(const struct group_commit *commit, bool at_commit, const struct error *error)
{
    struct error ignored;
    return !atomic_load(&commit->away) && !at_commit && !trouble_report(error, &ignored);
}

/*
 * Retries after ABORTED, after a lost COMMIT and, once, after another failure between begin and COMMIT: the
 * session may have been ended because this process was suspended, and the next one may work. A lost COMMIT
 * may have succeeded, so from then on every transient failure is retried until commit_retry_ms has passed.
 */
static enum status apply_with_retries(struct group_commit *commit, struct writer_command **commands,
                                      size_t count, struct error *error)
{
    int64_t give_up_ns = 0;
    int aborts = 0;
    bool again = false, at_commit;
    for (;;) {
        enum status status = apply_once(commit, commands, count, &at_commit, error);
        if (status == STATUS_OK || !status_is_transient(status))
            return status;
        if (status == STATUS_UNKNOWN) {
            commit->doubtful = true;
            metric_add(&writer_metrics.commits_unknown, 1);
            log_event(LOG_WARN, "writer.commit_unknown", LOG_INT("commands", count));
        }
        if (give_up_ns != 0) {
            if (clock_monotonic_ns() >= give_up_ns)
                return status;
            if (atomic_load(&commit->away))
                commit->refuse_waiting(commit->owner);
            pause_ms(LOST_PAUSE_MS);
        } else if (status == STATUS_UNKNOWN) {
            give_up_ns = clock_monotonic_ns() + (int64_t)commit->commit_retry_ms * NS_PER_MS;
        } else if (status == STATUS_UNAVAILABLE && !again && is_worth_repeating(commit, at_commit, error)) {
            again = true;
        } else if (status != STATUS_ABORTED || aborts++ == ABORT_RETRIES) {
            return status;
        }
    }
}

/* ---- outcomes ---- */

static void finish_all(struct group_commit *commit, struct writer_command **commands, size_t count)
{
    const struct writer_ops *ops = &commit->ops;
    if (ops->completing != NULL)
        ops->completing(ops->context);
    for (size_t i = 0; i < count; i++)
        commit->finish(commit->owner, commands[i]);
    if (ops->completed != NULL)
        ops->completed(ops->context);
}

/*
 * Records whether the database is usable. Logs each change, and an ongoing outage only once a minute, because
 * batches then fail as fast as they arrive.
 */
static void note_database(struct group_commit *commit, bool up, const struct error *error)
{
    atomic_store(&commit->trouble, up ? NULL : trouble_line(error));
    if (up) {
        if (repeat_end(&commit->outage))
            log_plain(LOG_INFO, "writer.database_back");
    } else if (!db_is_damaged(error) && repeat_is_due(&commit->outage, clock_monotonic_ns())) {
        log_event(LOG_WARN, "writer.database_lost", LOG_TEXT("message", error->message));
    }
}

/*
 * Sets the outcome of a command whose batch failed for a transient reason. If the transaction could not
 * begin, nothing was executed, unless an earlier COMMIT of the batch has had no answer. This is said of
 * requests only: a settle belongs to a booking whose intent is committed.
 */
static void report_unavailable(const struct group_commit *commit, struct writer_command *command,
                               const struct error *error)
{
    struct error *outcome = &command->outcome;
    if (trouble_report(error, outcome))
        return;
    if (atomic_load(&commit->away) && !commit->doubtful && command->class == WRITER_REQUEST) {
        (void)trouble_refuse(outcome);
        return;
    }
    error_set(outcome, STATUS_UNAVAILABLE, NULL,
              "the database did not confirm it; ask again with the same id");
    outcome->retry_after_ms = RETRY_AFTER_MS;
}

static void fail_unavailable(struct group_commit *commit, struct writer_command **commands, size_t count,
                             enum status status, const struct error *error)
{
    bool lost = status == STATUS_UNAVAILABLE || status == STATUS_UNKNOWN;
    CHECK(status_is_transient(status));
    /* A timeout means no answer, too: for example while the head is locked by a commit that waits for a
     * standby. */
    note_database(commit, !lost && status != STATUS_DEADLINE_EXCEEDED, error);
    if (!lost)
        log_event(LOG_WARN, "writer.batch_failed", LOG_TEXT("status", status_name(status)),
                  LOG_TEXT("message", error->message), LOG_INT("commands", count));
    for (size_t i = 0; i < count; i++)
        report_unavailable(commit, commands[i], error);
    finish_all(commit, commands, count);
}

static void fail_poisoned(struct group_commit *commit, struct writer_command *command, enum status status,
                          const struct error *error)
{
    CHECK(status != STATUS_OK && !status_is_transient(status));
    note_database(commit, true, NULL);
    metric_add(&writer_metrics.poisoned, 1);
    log_event(LOG_ERROR, "writer.poisoned", LOG_TEXT("status", status_name(status)),
              LOG_TEXT("message", error->message), LOG_INT("class", command->class));
    /* Keep the cause for an event's dead letter. No client sees the outcome of an event. */
    error_set(&command->outcome, STATUS_INTERNAL, NULL, "%s",
              command->class == WRITER_EVENT ? error->message
                                             : "a fault of the service, which has logged it");
    commit->finish(commit->owner, command);
}

static void succeed(struct group_commit *commit, struct writer_command **commands, size_t count)
{
    note_database(commit, true, NULL);
    finish_all(commit, commands, count);
    FAULT_POINT("writer.after_replies");
    if (commit->ops.committed != NULL)
        commit->ops.committed(commit->ops.context);
    FAULT_POINT("writer.after_publish");
}

/* ---- a batch ---- */

/*
 * Runs the commands of a batch one by one, because the batch is poisoned or has touched a damaged page. If
 * the database becomes unreachable, all remaining commands fail immediately, because trying each of them
 * would make every client wait for up to 512 timeouts.
 */
static void run_alone(struct group_commit *commit, struct writer_command **commands, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct error error;
        enum status status = apply_with_retries(commit, &commands[i], 1, &error);
        if (status == STATUS_OK) {
            succeed(commit, &commands[i], 1);
        } else if (db_is_damaged(&error)) {
            fail_unavailable(commit, &commands[i], 1, status, &error);
        } else if (status_is_transient(status)) {
            fail_unavailable(commit, &commands[i], count - i, status, &error);
            return;
        } else {
            fail_poisoned(commit, commands[i], status, &error);
        }
    }
}

static void run(struct group_commit *commit, struct writer_command **commands, size_t count)
{
    struct error error;
    enum status status = apply_with_retries(commit, commands, count, &error);
    if (status == STATUS_OK) {
        succeed(commit, commands, count);
    } else if (db_is_damaged(&error) && count > 1) {
        run_alone(commit, commands, count);
    } else if (status_is_transient(status)) {
        fail_unavailable(commit, commands, count, status, &error);
    } else if (count == 1) {
        fail_poisoned(commit, commands[0], status, &error);
    } else {
        log_event(LOG_WARN, "writer.batch_poisoned", LOG_TEXT("status", status_name(status)),
                  LOG_TEXT("message", error.message), LOG_INT("commands", count));
        run_alone(commit, commands, count);
    }
}

size_t group_commit_drop_expired(struct group_commit *commit, struct writer_command **commands, size_t count)
{
    int64_t now_ns = clock_monotonic_ns();
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        struct writer_command *command = commands[i];
        if (command->deadline_ns == 0 || command->deadline_ns > now_ns) {
            commands[kept++] = command;
            continue;
        }
        metric_add(&writer_metrics.expired, 1);
        error_set(&command->outcome, STATUS_DEADLINE_EXCEEDED, NULL, "deadline spent before the first write");
        commit->finish(commit->owner, command);
    }
    CHECK(kept <= count);
    return kept;
}

void group_commit_run(struct group_commit *commit, struct writer_command **commands, size_t count)
{
    CHECK(count > 0);
    metric_add(&writer_metrics.batches, 1);
    metric_add(&writer_metrics.batch_commands, (int64_t)count);
    histogram_add(&writer_metrics.batch_sizes, (int64_t)count);
    if (metric_get(&writer_metrics.batch_commands_max) < (int64_t)count)
        metric_set(&writer_metrics.batch_commands_max, (int64_t)count);
    commit->doubtful = false;
    start_listening(commit);
    run(commit, commands, count);
    stop_listening(commit);
}

bool group_commit_writes_fail(const struct group_commit *commit)
{
    return atomic_load(&commit->trouble) != NULL;
}

void group_commit_probe(struct group_commit *commit)
{
    struct error error = {0};
    bool writes_failed = group_commit_writes_fail(commit);
    start_listening(commit);
    enum status status = db_probe(commit->db, writes_failed, &error);
    stop_listening(commit);
    if (status != STATUS_OK)
        metric_add(&writer_metrics.probes_failed, 1);
    note_database(commit, status == STATUS_OK || !status_is_transient(status), &error);
    if (status == STATUS_OK)
        atomic_store(&commit->away, false);
}

/* Returns whether the database has been silent for too long, for example because a commit waits for a
 * standby. */
static bool is_silent(const struct group_commit *commit, int64_t now_ns)
{
    int64_t heard_ns = atomic_load(&commit->heard_ns);
    return heard_ns != 0 && now_ns - heard_ns >= (int64_t)SILENCE_MAX_MS * NS_PER_MS;
}

bool group_commit_refuses(const struct group_commit *commit, int64_t now_ns)
{
    bool running = atomic_load(&commit->heard_ns) != 0;
    return running && (atomic_load(&commit->away) || is_silent(commit, now_ns));
}

const char *group_commit_database_trouble(struct group_commit *commit)
{
    const struct error gone = {.status = STATUS_UNAVAILABLE, .reason = DB_GONE};
    if (!db_in_place(commit->db))
        return trouble_line(&gone);
    const char *trouble = atomic_load(&commit->trouble);
    return trouble == NULL && is_silent(commit, clock_monotonic_ns()) ? trouble_of_silence : trouble;
}
