/*
 * The queue and its thread; group_commit.c runs the batches.
 *
 * `lock` guards the queues, `sleeping` and `closing`; it is never held during a callback, so callbacks may
 * submit. `batch` and `commit` belong to the writer thread. Every command of class WRITER_REQUEST holds a
 * place, no matter which function submitted it.
 */
#include "writer/writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/admission.h"
#include "base/clock.h"
#include "writer/group_commit.h"
#include "writer/writer_metrics.h"

enum { BATCH_MAX_DEFAULT = 512, QUEUE_MAX_DEFAULT = 4096, COMMIT_RETRY_DEFAULT_MS = 2000 };

/* One command in BACKGROUND_SHARE of a batch may be a background command, and requests leave room for it. */
enum { BACKGROUND_SHARE = 8 };

/* Roughly the time that a full queue takes to drain. */
enum { OVERLOADED_RETRY_AFTER_MS = 200 };

/* How often an idle writer probes its database: after a failure, and otherwise. */
enum { PROBE_AWAY_MS = 500, PROBE_IDLE_MS = 2000, NS_PER_S = 1000000000 };

struct queue {
    struct fair_item *head;
    struct fair_item **tail;
};

struct writer {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct queue queues[WRITER_REQUEST]; /* one per class except requests */
    struct admission *requests;
    size_t waiting;    /* commands in all queues */
    size_t background; /* background commands among them */
    size_t patient;    /* events among them that start no batch */
    bool hurried;      /* let the patient events start a batch */
    bool sleeping;     /* the thread waits for `wake` and was not signalled yet */
    bool closing;
    size_t batch_max;
    struct group_commit commit;
    struct writer_command *batch[]; /* batch_max */
};

/* ---- the queue, lock held ---- */

static void push(struct writer *writer, struct writer_command *command)
{
    writer->waiting++;
    metric_add(&writer_metrics.queue_depth, 1);
    if (command->class == WRITER_REQUEST) {
        admission_push(writer->requests, &command->item);
        return;
    }
    writer->background += command->class == WRITER_BACKGROUND;
    struct queue *queue = &writer->queues[command->class];
    command->item.next = NULL;
    *queue->tail = &command->item;
    queue->tail = &command->item.next;
}

static struct writer_command *pop(struct writer *writer, enum writer_class class)
{
    if (class == WRITER_REQUEST)
        return (struct writer_command *)admission_pop(writer->requests);
    struct queue *queue = &writer->queues[class];
    struct fair_item *item = queue->head;
    if (item == NULL)
        return NULL;
    queue->head = item->next;
    if (queue->head == NULL)
        queue->tail = &queue->head;
    return (struct writer_command *)item;
}

/* Fills the batch from `count` up to `end` with commands of one class; returns the new count. */
static size_t take(struct writer *writer, enum writer_class class, size_t count, size_t end)
{
    size_t before = count;

    while (count < end) {
        struct writer_command *command = pop(writer, class);

        if (command == NULL)
            break;
        writer->batch[count++] = command;
    }
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
    /* In a batch of one the request comes first. */
    count = take(writer, WRITER_REQUEST, count, most > background ? most - background : most);
    if (background > most - count)
        background = most - count;
    writer->background -= background;
    count = take(writer, WRITER_BACKGROUND, count, count + background);
    if (writer->queues[WRITER_EVENT].head == NULL) {
        writer->patient = 0;
        writer->hurried = false;
    }
    return count;
}

/* Unlocks, and wakes the thread only if it sleeps and was not signalled yet: a wake-up is a system call. */
static void unlock_and_wake(struct writer *writer)
{
    bool wake = writer->sleeping;

    writer->sleeping = false;
    pthread_mutex_unlock(&writer->lock);
    if (wake)
        pthread_cond_signal(&writer->wake);
}

/* ---- the thread ---- */

/*
 * Waits for commands. While none come, the writer probes the database: a service without traffic must report
 * that it is not ready, and when it is ready again. Called with the lock held; releases it during the wait
 * and the probe.
 */
static void wait_or_probe(struct writer *writer)
{
    struct timespec until;
    int64_t pause_ms = group_commit_writes_fail(&writer->commit) ? PROBE_AWAY_MS : PROBE_IDLE_MS;
    int64_t until_ns = clock_monotonic_ns() + pause_ms * NS_PER_MS;

    until = (struct timespec){.tv_sec = until_ns / NS_PER_S, .tv_nsec = until_ns % NS_PER_S};
    if (pthread_cond_timedwait(&writer->wake, &writer->lock, &until) != ETIMEDOUT)
        return;
    pthread_mutex_unlock(&writer->lock);
    group_commit_probe(&writer->commit);
    pthread_mutex_lock(&writer->lock);
}

/* Whether to start a batch. Lock held. */
static bool is_due(const struct writer *writer)
{
    return writer->waiting > (writer->hurried ? 0 : writer->patient);
}

/* Waits for commands; 0 = closing, and the queues are empty. */
static size_t next_batch(struct writer *writer)
{
    size_t count;

    pthread_mutex_lock(&writer->lock);
    while (!is_due(writer) && !writer->closing) {
        writer->sleeping = true;
        wait_or_probe(writer);
    }
    writer->sleeping = false;
    count = take_batch(writer);
    pthread_mutex_unlock(&writer->lock);
    return count;
}

/*
 * Completes those of the `count` commands taken that have expired, and gives their room in the batch to
 * requests. Returns the new count.
 */
static size_t replace_expired(struct writer *writer, size_t count)
{
    size_t live = group_commit_drop_expired(&writer->commit, writer->batch, count);

    while (live < count) {
        pthread_mutex_lock(&writer->lock);
        count = take(writer, WRITER_REQUEST, live, count);
        pthread_mutex_unlock(&writer->lock);
        live += group_commit_drop_expired(&writer->commit, writer->batch + live, count - live);
    }
    return live;
}

static void note_backlog(struct writer *writer, size_t count)
{
    size_t requests = 0;
    int64_t now_ns = clock_monotonic_ns();

    for (size_t i = 0; i < count; i++)
        requests += writer->batch[i]->class == WRITER_REQUEST;
    pthread_mutex_lock(&writer->lock);
    backlog_took(&writer->requests->backlog, count, requests, writer->requests->queue.waiting, now_ns);
    pthread_mutex_unlock(&writer->lock);
}

static void *work(void *argument)
{
    struct writer *writer = argument;
    size_t count;

    while ((count = next_batch(writer)) > 0) {
        count = replace_expired(writer, count);
        note_backlog(writer, count);
        if (count > 0)
            group_commit_run(&writer->commit, writer->batch, count);
    }
    return NULL;
}

static void finish(void *owner, struct writer_command *command)
{
    struct writer *writer = owner;

    /*
     * Release the place before complete: a client that reads the reply must find it free, and complete may
     * free the command.
     */
    if (command->class == WRITER_REQUEST && !command->keeps_place)
        writer_release_place(writer, command->item.source);
    metric_add(&writer_metrics.commands, 1);
    command->complete(command);
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
    writer->batch_max = batch_max;
    writer->commit.commit_retry_ms =
        options->commit_retry_ms != 0 ? options->commit_retry_ms : COMMIT_RETRY_DEFAULT_MS;
    for (int i = 0; i < WRITER_REQUEST; i++)
        writer->queues[i].tail = &writer->queues[i].head;
    return writer;
}

static void release(struct writer *writer)
{
    free(writer->requests);
    free(writer);
}

static int init_wake(pthread_cond_t *wake)
{
    pthread_condattr_t attributes;
    int result = pthread_condattr_init(&attributes);

    if (result != 0)
        return result;
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    result = pthread_cond_init(wake, &attributes);
    pthread_condattr_destroy(&attributes);
    return result;
}

enum status writer_open(struct db *db, const struct writer_options *options, const struct writer_ops *ops,
                        struct writer **out, struct error *error)
{
    struct writer *writer = allocate(options);

    if (writer == NULL)
        goto no_memory;
    writer->commit.db = db;
    writer->commit.ops = *ops;
    writer->commit.finish = finish;
    writer->commit.owner = writer;
    atomic_init(&writer->commit.trouble, NULL);
    writer_metrics_register();
    if (pthread_mutex_init(&writer->lock, NULL) != 0)
        goto no_lock;
    if (init_wake(&writer->wake) != 0)
        goto no_wake;
    if (pthread_create(&writer->thread, NULL, work, writer) != 0)
        goto no_thread;
    *out = writer;
    return STATUS_OK;

no_thread:
    pthread_cond_destroy(&writer->wake);
no_wake:
    pthread_mutex_destroy(&writer->lock);
no_lock:
    release(writer);
no_memory:
    return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "writer: no memory or no thread left");
}

void writer_close(struct writer *writer)
{
    if (writer == NULL)
        return;
    pthread_mutex_lock(&writer->lock);
    writer->closing = true;
    unlock_and_wake(writer);
    pthread_join(writer->thread, NULL);
    db_close(writer->commit.db);
    pthread_cond_destroy(&writer->wake);
    pthread_mutex_destroy(&writer->lock);
    release(writer);
}

/* ---- submitting ---- */

void writer_submit(struct writer *writer, struct writer_command *command)
{
    command->item.next = NULL;
    writer_submit_chain(writer, command, 1);
}

void writer_submit_chain(struct writer *writer, struct writer_command *first, size_t count)
{
    struct writer_command *command = first;

    pthread_mutex_lock(&writer->lock);
    for (size_t i = 0; i < count; i++) {
        struct fair_item *next = command->item.next; /* push overwrites item.next */

        push(writer, command);
        command = (struct writer_command *)next;
    }
    unlock_and_wake(writer);
}

void writer_submit_patient(struct writer *writer, struct writer_command *command)
{
    pthread_mutex_lock(&writer->lock);
    push(writer, command);
    writer->patient++;
    pthread_mutex_unlock(&writer->lock);
}

void writer_hurry(struct writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    writer->hurried = writer->patient > 0;
    unlock_and_wake(writer);
}

enum status writer_submit_request(struct writer *writer, struct writer_command *command, struct error *error)
{
    int64_t now_ns = clock_monotonic_ns();

    pthread_mutex_lock(&writer->lock);
    enum admission_verdict verdict =
        admission_ask(writer->requests, &command->item, command->deadline_ns, now_ns);
    if (verdict == ADMISSION_GRANTED) {
        push(writer, command);
        unlock_and_wake(writer);
        return STATUS_OK;
    }
    pthread_mutex_unlock(&writer->lock);
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
