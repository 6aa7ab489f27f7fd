/*
 * The queue and its thread; group_commit.c runs the batches.
 *
 * `monitor` guards the queues, `requests` and all members from `waiting` to `closing`. It is never held
 * during a callback, so callbacks may submit. `batch` and `commit` belong to the writer thread. Every command
 * of class WRITER_REQUEST holds a place, no matter which function submitted it.
 */
#include "writer/writer.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/admission.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/monitor.h"
#include "writer/group_commit.h"
#include "writer/trouble.h"
#include "writer/writer_metrics.h"

enum { BATCH_MAX_DEFAULT = 512, QUEUE_MAX_DEFAULT = 4096, COMMIT_RETRY_DEFAULT_MS = 2000 };

/*
 * Background commands may fill 1/BACKGROUND_SHARE of a batch. Requests leave that share to the background
 * commands that are waiting.
 */
enum { BACKGROUND_SHARE = 8 };

/* Roughly how long a full queue takes to drain. */
enum { OVERLOADED_RETRY_AFTER_MS = 200 };

/* The intervals at which an idle writer probes its database: after a failure, and otherwise. */
enum { PROBE_AWAY_MS = 500, PROBE_IDLE_MS = 2000 };

struct writer {
    pthread_t thread;
    pthread_t worker; /* same as `thread`; set by the thread itself */
    struct monitor monitor;
    struct queue queues[WRITER_REQUEST]; /* one per class except requests */
    struct admission *requests;
    size_t waiting;    /* number of commands in all queues */
    size_t background; /* number of background commands among them */
    size_t patient;    /* number of patient events since the event queue was last empty */
    bool hurried;      /* whether the patient events start a batch */
    bool sleeping;     /* whether the thread waits and has not been notified */
    bool closing;
    size_t batch_max;
    struct group_commit commit;
    struct writer_command *batch[]; /* batch_max */
};

/* ---- the queue; the caller holds the lock ---- */

static void push(struct writer *writer, struct writer_command *command)
{
    CHECK(command->class <= WRITER_REQUEST && command->complete != NULL);
    writer->waiting++;
    metric_add(&writer_metrics.queue_depth, 1);
    if (command->class == WRITER_REQUEST) {
        admission_push(writer->requests, &command->item);
        return;
    }
    writer->background += command->class == WRITER_BACKGROUND;
    queue_put(&writer->queues[command->class], &command->item.node);
}

static struct writer_command *pop(struct writer *writer, enum writer_class class)
{
    if (class == WRITER_REQUEST)
        return container_of(admission_pop(writer->requests), struct writer_command, item);
    return container_of(queue_take(&writer->queues[class]), struct writer_command, item.node);
}

/* Fills the batch from `count` up to `end` with commands of one class. Returns the new count. */
static size_t take(struct writer *writer, enum writer_class class, size_t count, size_t end)
{
    size_t before = count;
    CHECK(end <= writer->batch_max);
    while (count < end) {
        struct writer_command *command = pop(writer, class);
        if (command == NULL)
            break;
        writer->batch[count++] = command;
    }
    CHECK(writer->waiting >= count - before);
    writer->waiting -= count - before;
    metric_add(&writer_metrics.queue_depth, -(int64_t)(count - before));
    return count;
}

static size_t take_batch(struct writer *writer)
{
    const size_t most = writer->batch_max, share = (most + BACKGROUND_SHARE - 1) / BACKGROUND_SHARE;
    size_t background = writer->background < share ? writer->background : share;
    size_t count = take(writer, WRITER_SETTLE, 0, most);
    count = take(writer, WRITER_EVENT, count, most);
    /* If a batch holds only one command, a request has priority. */
    count = take(writer, WRITER_REQUEST, count, most > background ? most - background : most);
    if (background > most - count)
        background = most - count;
    writer->background -= background;
    CHECK(writer->background <= writer->waiting);
    count = take(writer, WRITER_BACKGROUND, count, count + background);
    if (writer->queues[WRITER_EVENT].first == NULL) {
        writer->patient = 0;
        writer->hurried = false;
    }
    return count;
}

/*
 * Unlocks. Wakes the thread only if it is sleeping and has not been notified, because a wake-up is a system
 * call.
 */
static void unlock_and_wake(struct writer *writer)
{
    bool wake = writer->sleeping;
    writer->sleeping = false;
    monitor_unlock(&writer->monitor);
    if (wake)
        monitor_notify(&writer->monitor);
}

/* ---- the thread ---- */

/*
 * Waits for commands. Meanwhile probes the database, because a service without traffic must also report
 * whether it is ready. The caller holds the lock, which is released during the wait and the probe.
 */
static void wait_or_probe(struct writer *writer)
{
    int64_t pause_ms = group_commit_writes_fail(&writer->commit) ? PROBE_AWAY_MS : PROBE_IDLE_MS;
    int64_t until_ns = clock_monotonic_ns() + pause_ms * NS_PER_MS;
    if (monitor_wait(&writer->monitor, until_ns))
        return;
    monitor_unlock(&writer->monitor);
    group_commit_probe(&writer->commit);
    monitor_lock(&writer->monitor);
}

/* Returns whether to start a batch. The caller holds the lock. */
static bool is_due(const struct writer *writer)
{
    return writer->waiting > (writer->hurried ? 0 : writer->patient);
}

/*
 * Waits for commands and takes a batch. Returns its size, or 0 if the writer is closing and the queues are
 * empty.
 */
static size_t next_batch(struct writer *writer)
{
    monitor_lock(&writer->monitor);
    while (!is_due(writer) && !writer->closing) {
        writer->sleeping = true;
        wait_or_probe(writer);
    }
    writer->sleeping = false;
    size_t count = take_batch(writer);
    monitor_unlock(&writer->monitor);
    return count;
}

/*
 * Completes the expired commands among the batch's `count` commands, and replaces them with waiting requests.
 * Returns the new count.
 */
static size_t replace_expired(struct writer *writer, size_t count)
{
    size_t live = group_commit_drop_expired(&writer->commit, writer->batch, count);
    while (live < count) {
        monitor_lock(&writer->monitor);
        count = take(writer, WRITER_REQUEST, live, count);
        monitor_unlock(&writer->monitor);
        live += group_commit_drop_expired(&writer->commit, writer->batch + live, count - live);
        CHECK(live <= count);
    }
    return live;
}

static void note_backlog(struct writer *writer, size_t count)
{
    size_t requests = 0;
    int64_t now_ns = clock_monotonic_ns();
    for (size_t i = 0; i < count; i++)
        requests += writer->batch[i]->class == WRITER_REQUEST;
    monitor_lock(&writer->monitor);
    backlog_took(&writer->requests->backlog, count, requests, writer->requests->queue.waiting, now_ns);
    monitor_unlock(&writer->monitor);
}

static void *work(void *argument)
{
    struct writer *writer = argument;
    size_t count;
    writer->worker = pthread_self();
    while ((count = next_batch(writer)) > 0) {
        count = replace_expired(writer, count);
        note_backlog(writer, count);
        if (count > 0)
            group_commit_run(&writer->commit, writer->batch, count);
    }
    CHECK(writer->waiting == 0); /* no thread may submit while the writer closes */
    return NULL;
}

static void finish(void *owner, struct writer_command *command)
{
    struct writer *writer = owner;
    CHECK(pthread_equal(pthread_self(), writer->worker));
    /*
     * Release the place before calling complete: a client that has read the reply must find the place free,
     * and complete may free the command.
     */
    if (command->class == WRITER_REQUEST && !command->keeps_place)
        writer_release_place(writer, command->item.source);
    metric_add(&writer_metrics.commands, 1);
    command->complete(command);
}

/* Completes the requests that wait for the next batch, because the database is away. */
static void refuse_waiting(void *owner)
{
    struct writer *writer = owner;
    for (;;) {
        struct writer_command *command = NULL;
        monitor_lock(&writer->monitor);
        command = pop(writer, WRITER_REQUEST);
        if (command != NULL)
            writer->waiting--;
        monitor_unlock(&writer->monitor);
        if (command == NULL)
            return;
        metric_add(&writer_metrics.queue_depth, -1);
        metric_add(&writer_metrics.away, 1);
        (void)trouble_refuse(&command->outcome);
        finish(writer, command);
    }
}

/* ---- opening and closing ---- */

static struct writer *allocate(const struct writer_options *options)
{
    size_t batch_max = options->batch_max != 0 ? options->batch_max : BATCH_MAX_DEFAULT;
    struct writer *writer = calloc(1, sizeof *writer + batch_max * sizeof(struct writer_command *));
    if (writer == NULL)
        return NULL;
    writer->requests = admission_create(options->queue_max != 0 ? options->queue_max : QUEUE_MAX_DEFAULT);
    if (writer->requests == NULL) {
        free(writer);
        return NULL;
    }
    monitor_init(&writer->monitor);
    writer->batch_max = batch_max;
    writer->commit.commit_retry_ms =
        options->commit_retry_ms != 0 ? options->commit_retry_ms : COMMIT_RETRY_DEFAULT_MS;
    return writer;
}

static void release(struct writer *writer)
{
    monitor_fini(&writer->monitor);
    free(writer->requests);
    free(writer);
}

enum status writer_open(struct db *db, const struct writer_options *options, const struct writer_ops *ops,
                        struct writer **out, struct error *error)
{
    struct writer *writer = allocate(options);
    if (writer == NULL)
        return error_no_memory(error);
    writer->commit.db = db;
    writer->commit.ops = *ops;
    writer->commit.finish = finish;
    writer->commit.refuse_waiting = refuse_waiting;
    writer->commit.owner = writer;
    atomic_init(&writer->commit.trouble, NULL);
    atomic_init(&writer->commit.away, false);
    writer_metrics_register();
    if (pthread_create(&writer->thread, NULL, work, writer) != 0) {
        release(writer);
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "writer: no thread left");
    }
    *out = writer;
    return STATUS_OK;
}

void writer_close(struct writer *writer)
{
    if (writer == NULL)
        return;
    monitor_lock(&writer->monitor);
    writer->closing = true;
    unlock_and_wake(writer);
    pthread_join(writer->thread, NULL);
    db_close(writer->commit.db);
    release(writer);
}

/* ---- submitting ---- */

void writer_submit(struct writer *writer, struct writer_command *command)
{
    monitor_lock(&writer->monitor);
    push(writer, command);
    unlock_and_wake(writer);
}

void writer_submit_all(struct writer *writer, struct queue commands)
{
    monitor_lock(&writer->monitor);
    for (struct queue_node *node; (node = queue_take(&commands)) != NULL;)
        push(writer, container_of(node, struct writer_command, item.node));
    unlock_and_wake(writer);
}

void writer_submit_patient(struct writer *writer, struct writer_command *command)
{
    CHECK(command->class == WRITER_EVENT);
    monitor_lock(&writer->monitor);
    push(writer, command);
    writer->patient++;
    monitor_unlock(&writer->monitor);
}

void writer_hurry(struct writer *writer)
{
    monitor_lock(&writer->monitor);
    writer->hurried = writer->patient > 0;
    unlock_and_wake(writer);
}

/* A thread that waits in writer_submit_and_wait. */
struct waiter {
    struct monitor monitor;
    bool done;
};

static void wake_waiter(struct writer_command *command)
{
    struct waiter *waiter = command->context;
    monitor_lock(&waiter->monitor);
    CHECK(!waiter->done);
    waiter->done = true;
    monitor_notify(&waiter->monitor); /* with the lock held, because the woken thread destroys the waiter */
    monitor_unlock(&waiter->monitor);
}

enum status writer_submit_and_wait(struct writer *writer, struct writer_command *command,
                                   uint32_t patience_ms, struct error *error)
{
    struct waiter waiter = {.done = false};
    int64_t hurry_ns = INT64_MAX;
    monitor_init(&waiter.monitor);
    command->complete = wake_waiter;
    command->context = &waiter;
    if (patience_ms > 0) {
        hurry_ns = clock_monotonic_ns() + patience_ms * (int64_t)NS_PER_MS;
        writer_submit_patient(writer, command);
    } else {
        writer_submit(writer, command);
    }
    monitor_lock(&waiter.monitor);
    while (!waiter.done)
        if (!monitor_wait(&waiter.monitor, hurry_ns) && !waiter.done) {
            writer_hurry(writer);
            hurry_ns = INT64_MAX;
        }
    monitor_unlock(&waiter.monitor);
    monitor_fini(&waiter.monitor);
    *error = command->outcome;
    return error->status;
}

enum status writer_submit_request(struct writer *writer, struct writer_command *command, struct error *error)
{
    int64_t now_ns = clock_monotonic_ns();
    CHECK(command->class == WRITER_REQUEST);
    monitor_lock(&writer->monitor);
    if (group_commit_refuses(&writer->commit, now_ns)) {
        monitor_unlock(&writer->monitor);
        metric_add(&writer_metrics.away, 1);
        return trouble_refuse(error);
    }
    enum admission_verdict verdict =
        admission_ask(writer->requests, &command->item, command->deadline_ns, now_ns);
    if (verdict == ADMISSION_GRANTED) {
        push(writer, command);
        unlock_and_wake(writer);
        return STATUS_OK;
    }
    monitor_unlock(&writer->monitor);
    metric_add(verdict == ADMISSION_FULL ? &writer_metrics.overloaded : &writer_metrics.hopeless, 1);
    return admission_refuse("requests", OVERLOADED_RETRY_AFTER_MS, error);
}

void writer_release_place(struct writer *writer, uint64_t source)
{
    admission_release(writer->requests, source);
}

const char *writer_database_trouble(struct writer *writer)
{
    return group_commit_database_trouble(&writer->commit);
}
