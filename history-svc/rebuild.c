#include "rebuild.h"

#include "schema.h"

#include "base/clock.h"
#include "base/fault_point.h"
#include "base/log.h"
#include "service/service.h"

enum { LOOK_MS = 50, REPORT_MS = 5000, SWAP_PAUSE_MS = 200 };

/* The progress of filling the new schema. */
struct progress {
    struct event_follower_status logs[INTAKE_LOG_COUNT];
    int64_t moved_ns; /* when an event was last applied */
    int64_t reported_ns;
};

static int64_t after_ms(int64_t since_ns, int64_t ms)
{
    return since_ns + ms * NS_PER_MS;
}

static void look(struct progress *progress, const struct intake *intake)
{
    for (int i = 0; i < INTAKE_LOG_COUNT; i++) {
        uint64_t before = progress->logs[i].applied_seq;
        event_follower_status(intake_follower(intake, (enum intake_log)i), &progress->logs[i]);
        if (progress->logs[i].applied_seq != before)
            progress->moved_ns = clock_monotonic_ns();
    }
    if (clock_monotonic_ns() < after_ms(progress->reported_ns, REPORT_MS))
        return;
    progress->reported_ns = clock_monotonic_ns();
    log_event(LOG_INFO, "rebuild.progress",
              LOG_INT("booking_applied", progress->logs[INTAKE_BOOKING].applied_seq),
              LOG_INT("booking_head", progress->logs[INTAKE_BOOKING].head_seq),
              LOG_INT("hospital_applied", progress->logs[INTAKE_HOSPITAL].applied_seq),
              LOG_INT("hospital_head", progress->logs[INTAKE_HOSPITAL].head_seq));
}

/*
 * Returns whether each follower has reached the head of its log at least once (FOLLOWING). On a busy log, a
 * follower still lags slightly.
 */
static bool is_complete(const struct progress *progress)
{
    for (int i = 0; i < INTAKE_LOG_COUNT; i++)
        if (progress->logs[i].state != FOLLOWER_FOLLOWING)
            return false;
    return true;
}

static enum status check_halted(const struct progress *progress, struct error *error)
{
    for (int i = 0; i < INTAKE_LOG_COUNT; i++) {
        enum follower_state state = progress->logs[i].state;
        if (state == FOLLOWER_DIVERGED || state == FOLLOWER_STOPPED)
            return error_set(error, STATUS_FAILED_PRECONDITION, NULL, "the %s log %s at seq %llu",
                             intake_log_name((enum intake_log)i), follower_state_name(state),
                             (unsigned long long)progress->logs[i].applied_seq);
    }
    return STATUS_OK;
}

static enum status gave_up(const struct progress *progress, uint32_t patience_s, struct error *error)
{
    return error_set(error, STATUS_UNAVAILABLE, NULL,
                     "nothing has moved for %u s; booking log: %s at seq %llu, hospital log: %s at seq %llu",
                     (unsigned)patience_s, follower_state_name(progress->logs[INTAKE_BOOKING].state),
                     (unsigned long long)progress->logs[INTAKE_BOOKING].applied_seq,
                     follower_state_name(progress->logs[INTAKE_HOSPITAL].state),
                     (unsigned long long)progress->logs[INTAKE_HOSPITAL].applied_seq);
}

static enum status stopped(struct error *error)
{
    return error_set(error, STATUS_CANCELLED, NULL, "stopped before the rebuild was complete");
}

/*
 * Waits until is_complete. Fails if a follower halts, if there is no progress for `patience_s`, or if a stop
 * is requested.
 */
static enum status wait_complete(const struct intake *intake, uint32_t patience_s, struct progress *progress,
                                 struct error *error)
{
    *progress = (struct progress){.moved_ns = clock_monotonic_ns(), .reported_ns = clock_monotonic_ns()};
    for (;;) {
        look(progress, intake);
        if (is_complete(progress))
            return STATUS_OK;
        TRY(check_halted(progress, error));
        if (clock_monotonic_ns() >= after_ms(progress->moved_ns, (int64_t)patience_s * MS_PER_S))
            return gave_up(progress, patience_s, error);
        if (service_stop_requested(LOOK_MS))
            return stopped(error);
    }
}

static enum status fill(const struct intake_options *options, struct db *db, uint32_t patience_s,
                        struct progress *progress, struct error *error)
{
    struct intake *intake;
    enum status status = intake_open(options, db, &intake, error);
    if (status != STATUS_OK) {
        db_close(db);
        return status;
    }
    status = intake_follow(intake, error);
    if (status == STATUS_OK)
        status = wait_complete(intake, patience_s, progress, error);
    intake_close(intake);
    return status;
}

/*
 * Swaps the schemas. Retries for up to `patience_s`, because a long read of the live tables, or their writer,
 * may hold the locks for a while.
 */
static enum status swap(struct db *db, uint32_t patience_s, struct error *error)
{
    int64_t give_up_ns = after_ms(clock_monotonic_ns(), (int64_t)patience_s * MS_PER_S);
    FAULT_POINT("rebuild.before_swap");
    for (;;) {
        enum status status = schema_swap(db, error);
        if (status == STATUS_OK || !status_is_transient(status) || clock_monotonic_ns() >= give_up_ns)
            return status;
        if (service_stop_requested(SWAP_PAUSE_MS))
            return stopped(error);
    }
}

static enum status open_schema(const char *database_url, struct db **out, struct error *error)
{
    struct db *db;
    TRY(db_open(database_url, DB_READ_WRITE, &db, error));
    enum status status = schema_prepare_rebuild(db, error);
    if (status == STATUS_OK)
        *out = db;
    else
        db_close(db);
    return status;
}

static enum status fill_and_swap(const struct intake_options *options, struct db *db, uint32_t patience_s,
                                 struct progress *progress, struct error *error)
{
    struct db *own;
    TRY(open_schema(options->database_url, &own, error));
    TRY(fill(options, own, patience_s, progress, error));
    return swap(db, patience_s, error);
}

enum status rebuild_run(const struct intake_options *options, struct db *db, uint32_t patience_s,
                        struct rebuild_counts *out, struct error *error)
{
    struct intake_options own = *options;
    own.schema = SCHEMA_REBUILD;
    struct progress progress;
    /* An interrupted rebuild leaves its schema behind. */
    TRY(schema_drop_rebuild(db, error));
    enum status status = fill_and_swap(&own, db, patience_s, &progress, error);
    if (status != STATUS_OK) {
        struct error ignored;
        if (schema_drop_rebuild(db, &ignored) != STATUS_OK)
            log_event(LOG_WARN, "rebuild.schema_left", LOG_TEXT("message", ignored.message));
        return status;
    }
    *out = (struct rebuild_counts){0};
    for (int i = 0; i < INTAKE_LOG_COUNT; i++) {
        out->applied_seq[i] = progress.logs[i].applied_seq;
        out->dead_letters += progress.logs[i].dead_letters;
    }
    return STATUS_OK;
}
