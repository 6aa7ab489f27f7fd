/*
 * Invariant: a fetch that has not been answered holds a place. It is in the queue (guarded by the monitor),
 * in `waiting` (used only by the fetch thread), or being served by the fetch thread. The fetch thread never
 * answers a call or accesses the database with the monitor's lock held.
 */
#include "events/fetch_server.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/admission.h"
#include "base/clock.h"
#include "base/fault_point.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/monitor.h"
#include "events/fetch.h"

#include "screening/v1/words.h"

/*
 * The maximum number of fetches, including long polls. A subscriber has one fetch in flight at a time.
 * PLACES_MAX must be below the number of spare requests that our servers can hold, so that fetches alone
 * never take all of them.
 */
enum { PLACES_MAX = 256, RETRY_AFTER_MS = 100 };

struct fetch_server {
    struct fetch_server_options options;
    pthread_t thread;
    bool started;
    struct monitor monitor;
    /* Guarded by the monitor. */
    struct admission *queue;
    bool head_moved;
    bool polls_wait; /* whether long polls wait for the head to move */
    bool heartbeat_wanted;
    bool draining;
    bool stopping;
    /* Used only by the fetch thread. */
    struct db *db;
    struct queue waiting; /* the waiting long polls */
    size_t waiting_count;
    struct fetch_page page;
    uint64_t head_seq; /* the head's seq at the last heartbeat */
    int64_t heartbeat_ns;
    bool database_failed;
};

/* Work for the fetch thread, as found by wait_for_work. */
struct work {
    struct fetch *fetch; /* NULL = none */
    bool head_moved;
    bool heartbeat;
    bool draining;
};

static struct metric fetches_total = METRIC("events_fetches_served_total", "Fetches answered");
static struct metric polls_waiting = METRIC("events_long_polls", "Fetches that wait for events");
static struct metric heartbeats_total = METRIC("events_heartbeats_sent_total", "Heartbeats sent");

struct fetch_server *fetch_server_create(const struct fetch_server_options *options)
{
    struct fetch_server *server = calloc(1, sizeof *server);
    if (server == NULL)
        return NULL;
    server->queue = admission_create(PLACES_MAX);
    if (server->queue == NULL) {
        free(server);
        return NULL;
    }
    monitor_init(&server->monitor);
    server->options = *options;
    fetch_page_init(&server->page, options->response_max_bytes);
    metric_register(&fetches_total);
    metric_register(&polls_waiting);
    metric_register(&heartbeats_total);
    return server;
}

/* ---- called from other threads ---- */

static enum status enqueue(struct fetch_server *server, struct fetch *fetch, struct error *error)
{
    enum status status = STATUS_OK;
    int64_t now_ns = clock_monotonic_ns();
    monitor_lock(&server->monitor);
    if (!server->started || server->stopping) {
        status = error_set(error, STATUS_UNAVAILABLE, SCREENING_REASON_NOT_READY,
                           "the event log is not served yet");
        error->retry_after_ms = RETRY_AFTER_MS;
    } else if (admission_ask(server->queue, &fetch->item, rpc_call_deadline_ns(fetch->call), now_ns) !=
               ADMISSION_GRANTED) {
        status = admission_refuse("fetches", RETRY_AFTER_MS, error);
    } else {
        admission_push(server->queue, &fetch->item);
        monitor_notify(&server->monitor);
    }
    monitor_unlock(&server->monitor);
    return status;
}

void fetch_server_submit(struct fetch_server *server, struct rpc_call *call,
                         const Screening__V1__FetchRequest *request)
{
    struct fetch *fetch;
    struct error error = {0};
    enum status status = fetch_accept(call, request, &fetch, &error);
    if (status == STATUS_OK)
        status = enqueue(server, fetch, &error);
    if (status != STATUS_OK)
        rpc_call_fail(call, &error);
}

void fetch_server_wake(struct fetch_server *server, bool heartbeat)
{
    monitor_lock(&server->monitor);
    server->head_moved = true;
    server->heartbeat_wanted |= heartbeat;
    if (server->polls_wait || heartbeat)
        monitor_notify(&server->monitor);
    monitor_unlock(&server->monitor);
}

void fetch_server_drain(struct fetch_server *server)
{
    monitor_lock(&server->monitor);
    server->draining = true;
    monitor_notify(&server->monitor);
    monitor_unlock(&server->monitor);
}

/* ---- the thread ---- */

/*
 * Releases the place of a fetch. Call this before the reply, because a client that has received the reply
 * must find the place free, and because the reply invalidates the fetch.
 */
static void give_place_back(struct fetch_server *server, const struct fetch *fetch)
{
    metric_add(&fetches_total, 1);
    admission_release(server->queue, fetch->item.source);
}

static void fail(struct fetch_server *server, struct fetch *fetch, const struct error *error)
{
    give_place_back(server, fetch);
    rpc_call_fail(fetch->call, error);
}

static void reply(struct fetch_server *server, struct fetch *fetch, struct fetch_page *page)
{
    FAULT_POINT("events.fetch.before_answer");
    give_place_back(server, fetch);
    fetch_reply(fetch, page);
}

/* Logs only the first of a series of database failures. */
static void note_database(struct fetch_server *server, enum status status)
{
    bool failed = status != STATUS_OK && status != STATUS_DATA_LOSS;
    if (failed && !server->database_failed)
        log_event(LOG_WARN, "events.log_unreadable", LOG_TEXT("status", status_name(status)));
    server->database_failed = failed;
}

/* Returns whether the fetch's connection may have another long poll. */
static bool has_room(const struct fetch_server *server, const struct fetch *fetch)
{
    size_t line = fair_line_of(fetch->item.source), by_connection = 0;
    LIST_EACH(const struct fair_item, poll, &server->waiting, node)
        by_connection += fair_line_of(poll->source) == line;
    return admission_has_room(server->options.long_polls_max, server->waiting_count, by_connection, false, 0);
}

/* Keeps a fetch that found no events waiting as a long poll, if it may wait. Returns whether it was kept. */
static bool park(struct fetch_server *server, struct fetch *fetch, bool draining)
{
    if (draining || fetch->wait_until_ns <= clock_monotonic_ns() || !has_room(server, fetch))
        return false;
    queue_put(&server->waiting, &fetch->item.node);
    server->waiting_count++;
    return true;
}

static void serve_one(struct fetch_server *server, struct fetch *fetch, bool draining)
{
    struct error error = {0};
    if (rpc_call_deadline_ns(fetch->call) <= clock_monotonic_ns()) {
        (void)error_set(&error, STATUS_DEADLINE_EXCEEDED, NULL,
                        "the budget was spent before the log was read");
        fail(server, fetch, &error);
        return;
    }
    enum status status = fetch_read(fetch, server->db, &server->page, &error);
    note_database(server, status);
    if (status == STATUS_DATA_LOSS)
        log_event_once_a_minute(LOG_ERROR, "events.subscriber_diverged", fetch->subscriber,
                                LOG_TEXT("subscriber", fetch->subscriber),
                                LOG_INT("after_seq", fetch->after_seq), LOG_TEXT("why", error.message));
    if (status != STATUS_OK)
        fail(server, fetch, &error);
    else if (server->page.count > 0 || !park(server, fetch, draining))
        reply(server, fetch, &server->page);
}

/* Moves the waiting long polls back to the queue, so that each reads the log again in its turn. */
static void requeue_waiting(struct fetch_server *server)
{
    monitor_lock(&server->monitor);
    server->waiting_count = 0;
    for (struct queue_node *node; (node = queue_take(&server->waiting)) != NULL;)
        fair_queue_push(&server->queue->queue, container_of(node, struct fair_item, node));
    monitor_unlock(&server->monitor);
}

/* Answers, without events, the long polls whose wait has ended. If `all`, answers all long polls. */
static void end_polls(struct fetch_server *server, bool all)
{
    if (server->waiting_count == 0)
        return;
    int64_t now_ns = clock_monotonic_ns();
    struct queue polls = queue_take_all(&server->waiting);
    for (struct queue_node *node; (node = queue_take(&polls)) != NULL;) {
        struct fetch *fetch = container_of(node, struct fetch, item.node);
        if (all || fetch->wait_until_ns <= now_ns) {
            server->waiting_count--;
            reply(server, fetch, NULL);
        } else {
            queue_put(&server->waiting, node);
        }
    }
}

static void beat(struct fetch_server *server)
{
    struct event_head head;
    server->heartbeat_ns = clock_monotonic_ns() + (int64_t)server->options.heartbeat_ms * NS_PER_MS;
    enum status status = event_store_read_head(server->db, &head, NULL);
    note_database(server, status);
    if (status != STATUS_OK)
        return;
    server->options.heartbeat(server->options.context, &head);
    metric_add(&heartbeats_total, 1);
    /* Another replica may have moved the head. */
    if (head.seq != server->head_seq)
        requeue_waiting(server);
    server->head_seq = head.seq;
}

static int64_t next_deadline(const struct fetch_server *server)
{
    int64_t deadline_ns = server->heartbeat_ns;
    LIST_EACH(const struct fetch, fetch, &server->waiting, item.node)
        deadline_ns = fetch->wait_until_ns < deadline_ns ? fetch->wait_until_ns : deadline_ns;
    return deadline_ns;
}

/* Returns whether there is work. The caller holds the monitor's lock. */
static bool has_work(const struct fetch_server *server, int64_t deadline_ns)
{
    return server->stopping || server->queue->queue.waiting > 0 || server->heartbeat_wanted ||
           (server->polls_wait && (server->head_moved || server->draining)) ||
           clock_monotonic_ns() >= deadline_ns;
}

/* Waits for work or for the next deadline. Returns false when the thread must end. */
static bool wait_for_work(struct fetch_server *server, struct work *work)
{
    int64_t deadline_ns = next_deadline(server);
    monitor_lock(&server->monitor);
    server->polls_wait = server->waiting_count > 0;
    while (!has_work(server, deadline_ns))
        monitor_wait(&server->monitor, deadline_ns);
    work->fetch = container_of(admission_pop_paced(server->queue, clock_monotonic_ns()), struct fetch, item);
    work->head_moved = server->head_moved;
    work->heartbeat = server->heartbeat_wanted;
    work->draining = server->draining;
    server->head_moved = server->heartbeat_wanted = false;
    bool stopping = server->stopping;
    monitor_unlock(&server->monitor);
    return !stopping || work->fetch != NULL;
}

static void *serve(void *context)
{
    struct fetch_server *server = context;
    struct work work;
    while (wait_for_work(server, &work)) {
        if (work.draining)
            end_polls(server, true);
        if (work.head_moved)
            requeue_waiting(server);
        if (work.fetch != NULL)
            serve_one(server, work.fetch, work.draining);
        end_polls(server, false);
        if (work.heartbeat || clock_monotonic_ns() >= server->heartbeat_ns)
            beat(server);
        metric_set(&polls_waiting, (int64_t)server->waiting_count);
    }
    end_polls(server, true);
    metric_set(&polls_waiting, 0);
    return NULL;
}

enum status fetch_server_start(struct fetch_server *server, const char *database_url, struct error *error)
{
    /* Read-only, because a reader must not take SQLite's write lock. */
    TRY(db_open(database_url, DB_READ_ONLY, &server->db, error));
    monitor_lock(&server->monitor);
    bool started = pthread_create(&server->thread, NULL, serve, server) == 0;
    server->started = started;
    monitor_unlock(&server->monitor);
    if (started)
        return STATUS_OK;
    db_close(server->db);
    server->db = NULL;
    return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "no thread for the event log");
}

void fetch_server_destroy(struct fetch_server *server)
{
    if (server == NULL)
        return;
    if (server->started) {
        monitor_lock(&server->monitor);
        server->stopping = true;
        monitor_notify(&server->monitor);
        monitor_unlock(&server->monitor);
        pthread_join(server->thread, NULL);
        db_close(server->db);
    }
    fetch_page_fini(&server->page);
    free(server->queue);
    monitor_fini(&server->monitor);
    free(server);
}
