/*
 * A pool of threads, each with its own database connection, that serve one queue.
 *
 * `lock` guards the queue, `idle` and `closing`. It is never held while a task runs. `readers` does not
 * change between open and close.
 */
#include "writer/reader.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/admission.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "writer/trouble.h"
#include "writer/writer_metrics.h"

enum { THREADS_DEFAULT = 2, QUEUE_MAX_DEFAULT = 4096 };
enum { OVERLOADED_RETRY_AFTER_MS = 200, LATE_RETRY_AFTER_MS = 200 };

struct reader {
    pthread_t thread;
    struct reader_pool *pool;
    struct db *db;
    bool started;
    /* The following members are used only by this thread. */
    bool database_lost; /* whether the last read failed because of the database */
    bool failed;        /* whether the current read has failed because of the database */
};

struct reader_pool {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct admission *queue;
    size_t idle; /* number of threads waiting for `wake` */
    bool closing;
    size_t count;
    struct reader readers[]; /* count */
};

/* ---- the threads ---- */

/* Waits for a task. Returns NULL if the pool is closing and the queue is empty. */
static struct reader_task *next_task(struct reader_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    while (pool->queue->queue.waiting == 0 && !pool->closing) {
        pool->idle++;
        pthread_cond_wait(&pool->wake, &pool->lock);
        CHECK(pool->idle > 0 && pool->idle <= pool->count);
        pool->idle--;
    }
    struct reader_task *task =
        container_of(admission_pop_paced(pool->queue, clock_monotonic_ns()), struct reader_task, item);
    if (task != NULL)
        metric_add(&writer_metrics.reads_waiting, -1);
    pthread_mutex_unlock(&pool->lock);
    return task;
}

void reader_task_explain(struct reader_task *task, const struct error *cause, const char *request_id,
                         struct error *told)
{
    struct reader *reader = task->reader;
    CHECK(reader != NULL); /* must be called within `run` */
    CHECK(cause->status != STATUS_OK);
    if (cause->status == STATUS_INTERNAL) {
        log_event(LOG_ERROR, "reader.failed", LOG_TEXT("request_id", request_id),
                  LOG_TEXT("message", cause->message));
        error_set(told, STATUS_INTERNAL, NULL, "a fault of the service, which has logged it");
        return;
    }
    if (!status_is_transient(cause->status) || cause->status == STATUS_RESOURCE_EXHAUSTED) {
        *told = *cause;
        return;
    }
    reader->failed = true;
    if (!reader->database_lost)
        log_event(LOG_WARN, "reader.database_lost", LOG_TEXT("status", status_name(cause->status)),
                  LOG_TEXT("message", cause->message));
    reader->database_lost = true;
    if (trouble_report(cause, told))
        return;
    if (cause->status == STATUS_UNAVAILABLE) {
        (void)trouble_refuse(told);
        return;
    }
    error_set(told, STATUS_UNAVAILABLE, NULL, "the database did not answer in time; ask again");
    told->retry_after_ms = LATE_RETRY_AFTER_MS;
}

static void read_now(struct reader *reader, struct reader_task *task)
{
    metric_add(&writer_metrics.reads, 1);
    task->reader = reader;
    reader->failed = false;
    task->run(task, reader->db);
    if (!reader->database_lost || reader->failed)
        return;
    reader->database_lost = false;
    log_plain(LOG_INFO, "reader.database_back");
}

static void run(struct reader *reader, struct reader_task *task)
{
    struct error error;
    if (task->deadline_ns == 0 || clock_monotonic_ns() < task->deadline_ns) {
        read_now(reader, task);
        return;
    }
    metric_add(&writer_metrics.reads_expired, 1);
    error_set(&error, STATUS_DEADLINE_EXCEEDED, NULL, "deadline spent before the read began");
    task->refuse(task, &error);
}

static void *work(void *argument)
{
    struct reader *reader = argument;
    struct reader_task *task;
    while ((task = next_task(reader->pool)) != NULL) {
        uint64_t source = task->item.source; /* run may free the task */
        run(reader, task);
        admission_release(reader->pool->queue, source);
    }
    return NULL;
}

/* ---- opening and closing ---- */

static struct reader_pool *allocate(const struct reader_options *options)
{
    size_t count = options->threads != 0 ? options->threads : THREADS_DEFAULT;
    struct reader_pool *pool = calloc(1, sizeof *pool + count * sizeof pool->readers[0]);
    if (pool == NULL)
        return NULL;
    pool->queue = admission_create(options->queue_max != 0 ? options->queue_max : QUEUE_MAX_DEFAULT);
    if (pool->queue == NULL)
        goto no_queue;
    if (pthread_mutex_init(&pool->lock, NULL) != 0)
        goto no_lock;
    if (pthread_cond_init(&pool->wake, NULL) != 0)
        goto no_wake;
    pool->count = count;
    return pool;

no_wake:
    pthread_mutex_destroy(&pool->lock);
no_lock:
    free(pool->queue);
no_queue:
    free(pool);
    return NULL;
}

static enum status start(struct reader *reader, struct reader_pool *pool, const char *database_url,
                         const char *schema, struct error *error)
{
    TRY(db_open(database_url, DB_READ_ONLY, &reader->db, error));
    if (schema != NULL)
        TRY(db_use_schema(reader->db, schema, error));
    reader->pool = pool;
    if (pthread_create(&reader->thread, NULL, work, reader) != 0)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "reader: no thread left");
    reader->started = true;
    return STATUS_OK;
}

enum status reader_pool_open(const char *database_url, const struct reader_options *options,
                             struct reader_pool **out, struct error *error)
{
    struct reader_pool *pool = allocate(options);
    if (pool == NULL)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "reader: out of memory");
    writer_metrics_register();
    for (size_t i = 0; i < pool->count; i++) {
        enum status status = start(&pool->readers[i], pool, database_url, options->schema, error);
        if (status != STATUS_OK) {
            reader_pool_close(pool);
            return status;
        }
    }
    *out = pool;
    return STATUS_OK;
}

void reader_pool_close(struct reader_pool *pool)
{
    if (pool == NULL)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->closing = true;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    for (size_t i = 0; i < pool->count; i++) {
        if (pool->readers[i].started)
            pthread_join(pool->readers[i].thread, NULL);
        db_close(pool->readers[i].db);
    }
    CHECK(pool->idle == 0 && pool->queue->queue.waiting == 0 && atomic_load(&pool->queue->taken) == 0);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
    free(pool->queue);
    free(pool);
}

/* ---- submitting ---- */

enum status reader_pool_submit(struct reader_pool *pool, struct reader_task *task, struct error *error)
{
    int64_t now_ns = clock_monotonic_ns();
    pthread_mutex_lock(&pool->lock);
    enum admission_verdict verdict = admission_ask(pool->queue, &task->item, task->deadline_ns, now_ns);
    bool wake = verdict == ADMISSION_GRANTED && pool->idle > 0;
    if (verdict == ADMISSION_GRANTED) {
        admission_push(pool->queue, &task->item);
        metric_add(&writer_metrics.reads_waiting, 1);
    }
    pthread_mutex_unlock(&pool->lock);
    if (wake)
        pthread_cond_signal(&pool->wake);
    if (verdict == ADMISSION_GRANTED)
        return STATUS_OK;
    metric_add(verdict == ADMISSION_FULL ? &writer_metrics.reads_overloaded : &writer_metrics.reads_hopeless,
               1);
    return admission_refuse("reads", OVERLOADED_RETRY_AFTER_MS, error);
}
