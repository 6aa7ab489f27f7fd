/* booking-svc: accepts bookings, reserves their places at hospital-svc, and publishes their outcomes. */
#include "api.h"
#include "batch.h"
#include "deletion_job.h"
#include "pairing.h"
#include "reserver.h"
#include "settler.h"
#include "store.h"
#include "work.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/standard_files.h"
#include "db/migrate.h"
#include "events/event_log.h"
#include "events/publisher.h"
#include "events/subscriber.h"
#include "rpc/channel.h"
#include "rpc/server.h"
#include "rpc/transport_watch.h"
#include "service/config.h"
#include "service/connection_limits.h"
#include "service/database_metric.h"
#include "service/log_metrics.h"
#include "service/ops.h"
#include "service/service.h"
#include "writer/reader.h"
#include "writer/writer.h"

static const char PROGRAM[] = "booking-svc";
/* Requests in flight beyond those in the queues of commands and reads: requests being refused, and long
 * polls. */
enum { CONTEXTS_SPARE = 512 };
/* Calls on the same channel besides those for waiting callers: Fetches of the log, and the background
 * Reserve. */
enum { OTHER_CALLS_MAX = 5 };
enum { FETCH_MAX = 1024 * 1024, FETCH_HEADER_MAX = 4096 /* everything but the events */ };

struct settings {
    struct service_settings service;
    const char *events_listen;
    const char *hospital_rpc;
    const char *hospital_events;
    int64_t reserve_timeout_ms;
    int64_t reserve_calls_max;
    int64_t breaker_window_ms, breaker_min_calls, breaker_failure_percent, breaker_open_ms, breaker_probes;
    int64_t retry_budget_percent, retry_budget_min_per_s;
    const char *follow_log_from_start;
    bool replay_dead_letters;
};

/* Everything that runs, in start order. */
struct booking_service {
    struct settings settings;
    struct ops_server *ops;
    struct rpc_server *server;
    struct event_publisher *publisher;
    struct event_log *log;
    struct batch *batch;
    struct writer *writer;
    struct reader_pool *readers;
    struct rpc_channel *hospital;
    struct work_table *works;
    struct reserver *reserver;
    struct event_subscriber *subscriber;
    struct deletion_job *deletions;
    struct settler *settler;
    struct booking_api api;
    struct pairing_service pairing;
    struct transport_watch *watch;
    _Atomic bool running; /* everything above is open, so Health may use it */
};

/* Exits with one line and exit code 2 on any failure before the service is ready. */
static void must(enum status status, const struct error *error)
{
    if (status != STATUS_OK)
        service_config_error(PROGRAM, error);
}

static void load_settings(struct settings *settings, int argc, char **argv)
{
    const struct setting table[] = {
        SERVICE_SETTINGS(settings->service, "tcp://127.0.0.1:7201", "127.0.0.1:7209", "sqlite:booking.db"),
        {.name = "events-listen",
         .type = SETTING_ADDRESS,
         .value = &settings->events_listen,
         .default_value = "tcp://127.0.0.1:7202",
         .help = "address on which the booking log is published"},
        {.name = "hospital-rpc",
         .type = SETTING_ADDRESS,
         .value = &settings->hospital_rpc,
         .default_value = "tcp://127.0.0.1:7101",
         .help = "address of hospital-svc's calls"},
        {.name = "hospital-events",
         .type = SETTING_ADDRESS,
         .value = &settings->hospital_events,
         .default_value = "tcp://127.0.0.1:7102",
         .help = "address of hospital-svc's log"},
        {.name = "reserve-timeout-ms",
         .type = SETTING_NUMBER,
         .value = &settings->reserve_timeout_ms,
         .default_value = "600",
         .min = 10,
         .max = 60000,
         .help = "longest wait for hospital-svc's answer to one call, in ms"},
        {.name = "reserve-calls-max",
         .type = SETTING_NUMBER,
         .value = &settings->reserve_calls_max,
         .default_value = "32",
         .min = 1,
         .max = 1024,
         .help = "calls to hospital-svc in flight at once"},
        {.name = "breaker-window-ms",
         .type = SETTING_NUMBER,
         .value = &settings->breaker_window_ms,
         .default_value = "10000",
         .min = 0,
         .max = 600000,
         .help = "calls to hospital-svc of so long count for the breaker, in ms; 0 = no breaker"},
        {.name = "breaker-min-calls",
         .type = SETTING_NUMBER,
         .value = &settings->breaker_min_calls,
         .default_value = "20",
         .min = 1,
         .max = 1000000,
         .help = "fewer calls in the window never open the breaker"},
        {.name = "breaker-failure-percent",
         .type = SETTING_NUMBER,
         .value = &settings->breaker_failure_percent,
         .default_value = "50",
         .min = 1,
         .max = 100,
         .help = "failed calls in the window that open the breaker, in percent"},
        {.name = "breaker-open-ms",
         .type = SETTING_NUMBER,
         .value = &settings->breaker_open_ms,
         .default_value = "5000",
         .min = 1,
         .max = 600000,
         .help = "how long hospital-svc is not called once the breaker is open, in ms"},
        {.name = "breaker-probes",
         .type = SETTING_NUMBER,
         .value = &settings->breaker_probes,
         .default_value = "3",
         .min = 1,
         .max = 1000,
         .help = "calls at once after that; so many successes in a row close the breaker"},
        {.name = "retry-budget-percent",
         .type = SETTING_NUMBER,
         .value = &settings->retry_budget_percent,
         .default_value = "10",
         .min = 0,
         .max = 100,
         .help = "calls to hospital-svc that may be sent again, in percent"},
        {.name = "retry-budget-min-per-s",
         .type = SETTING_NUMBER,
         .value = &settings->retry_budget_min_per_s,
         .default_value = "10",
         .min = 1,
         .max = 1000,
         .help = "calls a second that may be sent again in any case"},
        {.name = "follow-log-from-start",
         .type = SETTING_TEXT,
         .value = &settings->follow_log_from_start,
         .default_value = "",
         .help = "start once with NAME (hospital): follow that log anew, after LOG_DIVERGED",
         .flag_only = true},
        {.name = "replay-dead-letters",
         .type = SETTING_SWITCH,
         .value = &settings->replay_dead_letters,
         .default_value = "false",
         .help = "apply the dead letters again, say how many, and end",
         .flag_only = true},
    };
    const size_t count = sizeof table / sizeof table[0];
    config_load(PROGRAM, "Takes bookings and keeps their state.", table, count, argc, argv);
    struct error error;
    if (settings->follow_log_from_start[0] != '\0' &&
        strcmp(settings->follow_log_from_start, HOSPITAL_LOG) != 0)
        must(error_set(&error, STATUS_INVALID_ARGUMENT, NULL, "--follow-log-from-start: must be hospital"),
             &error);
    service_begin(PROGRAM, settings->service.log_level, settings->service.time_zone);
    config_log(table, count);
}

/* For steps that open their own database connection. */
static bool must_try_again(enum status status, const struct error *error)
{
    return service_must_try_again(PROGRAM, status, error);
}

static const char *find_trouble(void *context)
{
    struct booking_service *service = context;
    return service->running ? writer_database_trouble(service->writer) : SERVICE_STARTING;
}

static size_t list_degraded(void *context, char reasons[RPC_DEGRADED_MAX][RPC_DEGRADED_TEXT_SIZE])
{
    struct booking_service *service = context;
    size_t count = 0;
    if (!service->running)
        return 0;
    count += service_damage_degrades(reasons[count], RPC_DEGRADED_TEXT_SIZE);
    count += event_subscriber_degraded(service->subscriber, reasons[count], RPC_DEGRADED_TEXT_SIZE);
    return count;
}

/* Size limit of the events in a Fetch answer, which must not exceed 1 MiB or the maximum message size. */
static size_t fetch_max_bytes(const struct service_settings *settings)
{
    int64_t max_bytes = settings->message_max_bytes < FETCH_MAX ? settings->message_max_bytes : FETCH_MAX;
    return (size_t)max_bytes - FETCH_HEADER_MAX;
}

/* For /readyz. */
static const char *tell_why_not_ready(void *context)
{
    struct booking_service *service = context;
    return service->running ? rpc_server_not_ready(service->server) : SERVICE_STARTING;
}

static void refresh_metrics(void *context)
{
    struct booking_service *service = context;
    if (service->running) {
        log_metrics_refresh(FOLLOWED_HOSPITAL, service->subscriber);
        database_metric_refresh(service->readers);
    }
}

static enum status open_ops(struct booking_service *service, struct error *error)
{
    const struct ops_options options = {
        .listen = service->settings.service.ops_listen,
        .not_ready = tell_why_not_ready,
        .refresh = refresh_metrics,
        .context = service,
    };
    return ops_open(&options, &service->ops, error);
}

static void listen_on_addresses(struct booking_service *service)
{
    struct error error;
    const struct service_settings *settings = &service->settings.service;
    const struct rpc_server_options rpc = {
        .address = settings->rpc_listen,
        .gateway_address = settings->gateway_listen,
        .program = PROGRAM,
        .contexts = 2 * (size_t)settings->queue_max + CONTEXTS_SPARE,
        .message_max_bytes = (size_t)settings->message_max_bytes,
        .default_timeout_ms = (uint32_t)settings->default_timeout_ms,
    };
    const struct event_publisher_options events = {.topic = "booking",
                                                   .fetch_max_bytes = fetch_max_bytes(settings),
                                                   .address = service->settings.events_listen};
    must(service_limit_connections(settings, &error), &error);
    must(open_ops(service, &error), &error);
    must(rpc_server_open(&rpc, &service->server, &error), &error);
    service_listens_at(rpc.address);
    service_listens_at(rpc.gateway_address);
    must(event_publisher_open(&events, &service->publisher, &error), &error);
    service_listens_at(events.address);
    booking_api_init(&service->api);
    rpc_server_add(service->server, &service->api.service.base);
    pairing_service_init(&service->pairing);
    rpc_server_add(service->server, &service->pairing.service.base);
    rpc_server_add(service->server, event_publisher_service(service->publisher));
    rpc_server_observe(service->server, find_trouble, list_degraded, service);
    must(rpc_server_start(service->server, &error), &error);
}

static enum status prepare_database(void *context, struct db *db, struct error *error)
{
    const struct settings *settings = context;
    enum status status = db_claim(db, "booking", error);
    if (status == STATUS_OK)
        status = events_migrate(db, error);
    if (status == STATUS_OK)
        status = store_migrate(db, error);
    if (status == STATUS_OK && settings->follow_log_from_start[0] != '\0')
        status = event_log_give_up(db, HOSPITAL_LOG, store_forget_deletions, error);
    return status;
}

/* Opens and migrates the database. NULL if asked to stop before that succeeds. */
static struct db *open_database(struct settings *settings)
{
    return service_open_database(PROGRAM, settings->service.database, prepare_database, settings);
}

static enum status apply(void *context, struct db *db, struct writer_command *const *commands, size_t count,
                         struct error *error)
{
    struct booking_service *service = context;
    batch_set_hospital_unavailable(service->batch, service->reserver != NULL &&
                                                       reserver_unavailable_ms(service->reserver) > 0);
    return batch_apply(service->batch, db, commands, count, error);
}

/* A replay of dead letters has neither reserver nor server. */
static void completing(void *context)
{
    struct booking_service *service = context;
    const struct event_era *era = event_log_era(service->log);
    if (service->reserver != NULL) /* before any Reserve for a booking of this batch */
        reserver_set_eras(service->reserver, era->id, era->peer);
    pairing_service_note_era(&service->pairing, era->id);
    if (service->server != NULL)
        rpc_server_hold_answers(service->server);
}

static void completed(void *context)
{
    struct booking_service *service = context;
    if (service->server != NULL)
        rpc_server_send_answers(service->server);
}

static void committed(void *context)
{
    struct booking_service *service = context;
    if (service->reserver != NULL)
        reserver_flush(service->reserver);
    event_log_publish(service->log);
    /* Test in this order: service->deletions may still be changing while other batches commit, but a batch
     * with a deletion comes from the subscriber, which is opened after the job. */
    if (batch_began_deletion(service->batch) && service->deletions != NULL)
        deletion_job_wake(service->deletions);
}

static void open_writer(struct booking_service *service, struct db *db)
{
    struct error error;
    const struct service_settings *settings = &service->settings.service;
    const struct writer_options options = {
        .batch_max = (size_t)settings->batch_max,
        .queue_max = (size_t)settings->queue_max,
    };
    service->log = event_log_create(service->publisher);
    service->batch = service->log != NULL ? batch_create(service->log) : NULL;
    if (service->batch == NULL)
        must(error_set(&error, STATUS_RESOURCE_EXHAUSTED, NULL, "out of memory"), &error);
    const struct writer_ops ops = {
        .apply = apply,
        .completing = completing,
        .completed = completed,
        .committed = committed,
        .context = service,
    };
    must(writer_open(db, &options, &ops, &service->writer, &error), &error);
}

static void open_reserver(struct booking_service *service)
{
    struct error error;
    const struct settings *settings = &service->settings;
    const struct rpc_channel_options channel = {
        .address = settings->hospital_rpc,
        .message_max_bytes = (size_t)settings->service.message_max_bytes,
        .peer = "hospital-svc",
        .breaker = {.window_ms = (uint32_t)settings->breaker_window_ms,
                    .min_calls = (uint32_t)settings->breaker_min_calls,
                    .failure_percent = (uint32_t)settings->breaker_failure_percent,
                    .open_ms = (uint32_t)settings->breaker_open_ms,
                    .probes = (uint32_t)settings->breaker_probes},
        .retry = {.percent = (uint32_t)settings->retry_budget_percent,
                  .min_per_s = (uint32_t)settings->retry_budget_min_per_s},
        .calls_max = (size_t)settings->reserve_calls_max + OTHER_CALLS_MAX,
    };
    const struct reserver_options reserver = {
        .timeout_ms = (uint32_t)settings->reserve_timeout_ms,
        .calls_max = (size_t)settings->reserve_calls_max,
    };
    must(rpc_channel_open(&channel, &service->hospital, &error), &error);
    service->works = work_table_create();
    if (service->works == NULL)
        must(error_set(&error, STATUS_RESOURCE_EXHAUSTED, NULL, "out of memory"), &error);
    must(reserver_open(&reserver, service->hospital, service->works, &service->reserver, &error), &error);
}

static void open_followers(struct booking_service *service)
{
    struct error error;
    const char *database = service->settings.service.database;
    const struct event_subscriber_options hospital_log = {
        .log = HOSPITAL_LOG,
        .subscriber = PROGRAM,
        .events_address = service->settings.hospital_events,
        .channel = service->hospital,
        .writer = service->writer,
        .database_url = database,
    };
    must(transport_watch_open(&service->watch, &error), &error);
    must(deletion_job_open(database, service->writer, &service->deletions, &error), &error);
    must(settler_open(database, service->works, service->reserver, &service->settler, &error), &error);
    while (must_try_again(event_subscriber_open(&hospital_log, &service->subscriber, &error), &error))
        ;
}

static void open_readers(struct booking_service *service)
{
    struct error error;
    const char *database = service->settings.service.database;
    const struct reader_options options = {
        .threads = (size_t)service->settings.service.reader_threads,
        .queue_max = (size_t)service->settings.service.queue_max,
    };
    while (must_try_again(reader_pool_open(database, &options, &service->readers, &error), &error))
        ;
    while (must_try_again(event_publisher_start(service->publisher, database, &error), &error))
        ;
}

static void serve(struct booking_service *service)
{
    work_table_connect(service->works, service->writer, service->reserver);
    open_followers(service);
    service->api.works = service->works;
    service->api.writer = service->writer;
    service->api.readers = service->readers;
    service->pairing.writer = service->writer;
    pairing_service_join_subscriber(&service->pairing, service->subscriber);
    service->running = true;
    rpc_server_serve(service->server);
    log_plain(LOG_INFO, "service.ready");
}

/* Closes in the reverse order of the start: each producer of work ends before its consumer. */
static void drain_and_close(struct booking_service *service)
{
    event_publisher_drain(service->publisher);
    if (!rpc_server_drain(service->server, (uint32_t)service->settings.service.drain_grace_ms))
        log_plain(LOG_WARN, "service.drain_incomplete");
    ops_close(service->ops);
    transport_watch_close(service->watch);
    pairing_service_leave_subscriber(&service->pairing);
    event_subscriber_close(service->subscriber);
    settler_close(service->settler);
    deletion_job_stop(service->deletions);
    reserver_stop(service->reserver);
    rpc_channel_stop(service->hospital); /* no client waits for these calls; most are the settler's */
    reserver_settle_rest(service->reserver);
    writer_close(service->writer);
    deletion_job_destroy(service->deletions);
    reserver_destroy(service->reserver);
    rpc_channel_close(service->hospital); /* no batch and no answer will ask its breaker again */
    reader_pool_close(service->readers);
    rpc_server_close(service->server);
    event_publisher_close(service->publisher);
    work_table_destroy(service->works);
    batch_destroy(service->batch);
    event_log_destroy(service->log);
}

/* --replay-dead-letters: runs only the writer, without listeners or followers. */
static int replay_dead_letters(struct booking_service *service)
{
    struct error error;
    size_t applied = 0, left = 0;
    struct db *db = open_database(&service->settings);
    if (db == NULL)
        return 0;
    open_writer(service, db);
    enum status status = dead_letters_replay(service->writer, service->settings.service.database, NULL,
                                             &applied, &left, &error);
    writer_close(service->writer);
    batch_destroy(service->batch);
    event_log_destroy(service->log);
    if (status != STATUS_OK) {
        log_say(PROGRAM, error.message);
        return SERVICE_EXIT_FAILED;
    }
    printf("%zu dead letters applied, %zu left\n", applied, left);
    return left == 0 ? 0 : SERVICE_EXIT_FAILED;
}

int main(int argc, char **argv)
{
    standard_files_open();
    struct booking_service service = {0};
    load_settings(&service.settings, argc, argv);
    if (service.settings.replay_dead_letters)
        return replay_dead_letters(&service);
    listen_on_addresses(&service);
    struct db *db = open_database(&service.settings);
    if (db == NULL) {
        ops_close(service.ops);
        rpc_server_close(service.server);
        event_publisher_close(service.publisher);
        return 0;
    }
    open_reserver(&service);
    open_writer(&service, db);
    open_readers(&service);
    serve(&service);
    service_wait(argv, transport_watch_is_stuck, service.watch);
    drain_and_close(&service);
    return 0;
}
