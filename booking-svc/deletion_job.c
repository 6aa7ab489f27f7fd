#include "deletion_job.h"

#include "batch.h"
#include "store.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault_point.h"
#include "base/log.h"
#include "base/ticker.h"

/* Pauses between the chunks of a hospital leave both services time for customers' bookings. */
enum { TICK_MS = 1000, HOSPITALS_AT_ONCE = 64, CHUNK_EVERY_MS = 10 };

struct deletion_job {
    struct writer *writer;
    char *database_url;
    struct db *db; /* NULL until the database can be opened */
    struct ticker *ticker;
    struct uuid hospitals[HOSPITALS_AT_ONCE];
    size_t hospital_count;
};

/*
 * Force-cancels one chunk of the hospital's bookings. Sets *finished to whether no bookings are left to
 * cancel.
 */
static enum status run_chunk(struct deletion_job *job, const struct uuid *hospital_id, bool *finished)
{
    struct booking_command command = {
        .writer = {.class = WRITER_SETTLE},
        .kind = COMMAND_FORCE_CANCEL,
        .hospital_id = *hospital_id,
        .traceparent = "",
    };
    struct error error;
    enum status status = writer_submit_and_wait(job->writer, &command.writer, 0, &error);
    *finished = command.finished;
    return status;
}

static enum status take_hospital(void *context, const struct hospital_deletion *deletion)
{
    struct deletion_job *job = context;
    job->hospitals[job->hospital_count++] = deletion->hospital_id;
    return STATUS_OK;
}

static void work_off(struct deletion_job *job, const struct uuid *hospital_id, struct ticker *ticker)
{
    bool finished = false;
    while (!finished && !ticker_stopping(ticker)) {
        int64_t next_ns = clock_monotonic_ns() + CHUNK_EVERY_MS * (int64_t)NS_PER_MS;
        enum status status = run_chunk(job, hospital_id, &finished);
        if (status != STATUS_OK) {
            log_event(LOG_WARN, "deletion.chunk_failed", LOG_UUID("hospital_id", hospital_id),
                      LOG_TEXT("status", status_name(status)));
            return; /* the next tick retries */
        }
        FAULT_POINT("force_cancel.after_chunk");
        if (!finished)
            (void)ticker_sleep(ticker, (uint32_t)clock_remaining_ms(next_ns));
    }
    if (finished)
        log_event(LOG_INFO, "deletion.finished", LOG_UUID("hospital_id", hospital_id));
}

static void tick(void *context, struct ticker *ticker)
{
    struct deletion_job *job = context;
    struct error error = {0};
    enum status status = STATUS_OK;
    if (job->db == NULL)
        status = db_open(job->database_url, DB_READ_ONLY, &job->db, &error);
    job->hospital_count = 0;
    if (status == STATUS_OK)
        status = store_list_unfinished_deletions(job->db, HOSPITALS_AT_ONCE, take_hospital, job, &error);
    if (status != STATUS_OK) {
        log_event(LOG_DEBUG, "deletion.failed", LOG_TEXT("status", status_name(status)),
                  LOG_TEXT("message", error.message));
        return;
    }
    for (size_t i = 0; i < job->hospital_count; i++)
        work_off(job, &job->hospitals[i], ticker);
    if (job->hospital_count == HOSPITALS_AT_ONCE)
        ticker_wake(ticker);
}

void deletion_job_destroy(struct deletion_job *job)
{
    ticker_close(job->ticker);
    db_close(job->db);
    free(job->database_url);
    free(job);
}

enum status deletion_job_open(const char *database_url, struct writer *writer, struct deletion_job **out,
                              struct error *error)
{
    struct deletion_job *job = calloc(1, sizeof *job);
    if (job == NULL || (job->database_url = strdup(database_url)) == NULL) {
        free(job);
        return error_no_memory(error);
    }
    job->writer = writer;
    enum status status = ticker_open(TICK_MS, tick, job, &job->ticker, error);
    if (status != STATUS_OK) {
        deletion_job_destroy(job);
        return status;
    }
    *out = job;
    return STATUS_OK;
}

void deletion_job_stop(struct deletion_job *job)
{
    ticker_stop(job->ticker);
}

void deletion_job_wake(struct deletion_job *job)
{
    ticker_wake(job->ticker);
}
