/* history-svc: the history of every booking, read from both logs. */
#include "api.h"
#include "feed.h"
#include "rebuild.h"
#include "schema.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/standard_files.h"
#include "events/subscriber.h"
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

static const char PROGRAM[] = "history-svc";
enum { CONTEXTS_SPARE = 512 }; /* beyond the queue of reads: room for requests that are being refused */

struct settings {
    struct service_settings service;
    const char *hospital_rpc;
    const char *hospital_events;
    const char *booking_rpc;
    const char *booking_events;
    int64_t rebuild_timeout_s;
    bool replay_dead_letters;
    bool rebuild;
};

/* Everything that runs, in start order. */
struct history_service {
    struct settings settings;
    struct ops_server *ops;
    struct rpc_server *server;
    struct reader_pool *readers;
    struct feed *feed;
    struct history_api api;
    struct transport_watch *watch;
    _Atomic bool running; /* everything above is set, so health checks may use it */
};

/* Any failure before the service is ready: print one line and exit with code 2. */
static void must(enum status status, const struct error *error)
{
    if (status != STATUS_OK)
        service_config_error(PROGRAM, error);
}

static void check_database(const char *url)
{
    struct error error;
    if (strncmp(url, "sqlite:", strlen("sqlite:")) == 0)
        must(error_set(&error, STATUS_INVALID_ARGUMENT, NULL,
                       "database: history-svc needs postgresql://..., not a SQLite file"),
             &error);
}

static void load_settings(struct settings *settings, int argc, char **argv)
{
    const struct setting table[] = {
        SERVICE_SETTINGS(settings->service, "tcp://127.0.0.1:7301", "127.0.0.1:7309", NULL),
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
        {.name = "booking-rpc",
         .type = SETTING_ADDRESS,
         .value = &settings->booking_rpc,
         .default_value = "tcp://127.0.0.1:7201",
         .help = "address of booking-svc's calls"},
        {.name = "booking-events",
         .type = SETTING_ADDRESS,
         .value = &settings->booking_events,
         .default_value = "tcp://127.0.0.1:7202",
         .help = "address of booking-svc's log"},
        {.name = "rebuild-timeout-s",
         .type = SETTING_NUMBER,
         .value = &settings->rebuild_timeout_s,
         .default_value = "600",
         .min = 1,
         .max = 86400,
         .help = "how long --rebuild waits while nothing moves, in s"},
        {.name = "rebuild",
         .type = SETTING_SWITCH,
         .value = &settings->rebuild,
         .default_value = "false",
         .help = "make all tables anew from both logs, beside a running history-svc, and end; one that a log "
                 "had diverged for follows again when it is restarted",
         .flag_only = true},
        {.name = "replay-dead-letters",
         .type = SETTING_SWITCH,
         .value = &settings->replay_dead_letters,
         .default_value = "false",
         .help = "apply the dead letters again, say how many, and end",
         .flag_only = true},
    };
    const size_t count = sizeof table / sizeof table[0];
    config_load(PROGRAM, "Keeps the history of all bookings, to be read.", table, count, argc, argv);
    check_database(settings->service.database);
    service_begin(PROGRAM, settings->service.log_level, settings->service.time_zone);
    config_log(table, count);
}

static struct feed_options feed_settings(const struct settings *settings)
{
    return (struct feed_options){
        .database_url = settings->service.database,
        .schema = SCHEMA_LIVE,
        .batch_max = (size_t)settings->service.batch_max,
        .message_max_bytes = (size_t)settings->service.message_max_bytes,
        .sources =
            {
                [FEED_BOOKING] = {settings->booking_rpc, settings->booking_events},
                [FEED_HOSPITAL] = {settings->hospital_rpc, settings->hospital_events},
            },
    };
}

/* For functions that open a database connection themselves. */
static bool must_try_again(enum status status, const struct error *error)
{
    return service_must_try_again(PROGRAM, status, error);
}

static const char *find_trouble(void *context)
{
    struct history_service *service = context;
    return service->running ? writer_database_trouble(feed_writer(service->feed)) : SERVICE_STARTING;
}

static size_t list_degraded(void *context, char reasons[RPC_DEGRADED_MAX][RPC_DEGRADED_TEXT_SIZE])
{
    struct history_service *service = context;
    size_t count = 0;
    if (!service->running)
        return 0;
    count += service_damage_degrades(reasons[count], RPC_DEGRADED_TEXT_SIZE);
    for (int i = 0; i < FEED_LOG_COUNT; i++)
        if (event_subscriber_degraded(feed_subscriber(service->feed, (enum feed_log)i), reasons[count],
                                      RPC_DEGRADED_TEXT_SIZE))
            count++;
    return count;
}

/* Callback for /readyz. */
static const char *tell_why_not_ready(void *context)
{
    struct history_service *service = context;
    return service->running ? rpc_server_not_ready(service->server) : SERVICE_STARTING;
}

static void refresh_metrics(void *context)
{
    struct history_service *service = context;
    for (int i = 0; service->running && i < FEED_LOG_COUNT; i++)
        log_metrics_refresh(i == FEED_BOOKING ? FOLLOWED_BOOKING : FOLLOWED_HOSPITAL,
                            feed_subscriber(service->feed, (enum feed_log)i));
    if (service->running)
        database_metric_refresh(service->readers);
}

static enum status open_ops(struct history_service *service, struct error *error)
{
    const struct ops_options options = {
        .listen = service->settings.service.ops_listen,
        .not_ready = tell_why_not_ready,
        .refresh = refresh_metrics,
        .context = service,
    };
    return ops_open(&options, &service->ops, error);
}

static void listen_on_address(struct history_service *service)
{
    struct error error;
    const struct service_settings *settings = &service->settings.service;
    const struct rpc_server_options rpc = {
        .address = settings->rpc_listen,
        .gateway_address = settings->gateway_listen,
        .program = PROGRAM,
        .contexts = (size_t)settings->queue_max + CONTEXTS_SPARE,
        .message_max_bytes = (size_t)settings->message_max_bytes,
        .default_timeout_ms = (uint32_t)settings->default_timeout_ms,
    };
    must(service_limit_connections(settings, &error), &error);
    must(open_ops(service, &error), &error);
    must(rpc_server_open(&rpc, &service->server, &error), &error);
    service_listens_at(rpc.address);
    service_listens_at(rpc.gateway_address);
    history_api_init(&service->api);
    rpc_server_add(service->server, &service->api.service.base);
    rpc_server_observe(service->server, find_trouble, list_degraded, service);
    must(rpc_server_start(service->server, &error), &error);
}

static enum status prepare_database(void *context, struct db *db, struct error *error)
{
    (void)context;
    return schema_prepare(db, SCHEMA_LIVE, error);
}

/* Opens the database with the live schema. Returns NULL if a stop signal arrives first. */
static struct db *open_database(const struct settings *settings)
{
    return service_open_database(PROGRAM, settings->service.database, prepare_database, NULL);
}

static void open_feed(struct history_service *service, struct db *db)
{
    struct error error;
    const struct feed_options options = feed_settings(&service->settings);
    must(feed_open(&options, db, &service->feed, &error), &error);
}

static void open_readers(struct history_service *service)
{
    struct error error;
    const struct reader_options options = {
        .threads = (size_t)service->settings.service.reader_threads,
        .queue_max = (size_t)service->settings.service.queue_max,
        .schema = SCHEMA_LIVE,
    };
    const char *database = service->settings.service.database;
    while (must_try_again(reader_pool_open(database, &options, &service->readers, &error), &error))
        ;
}

static void serve(struct history_service *service)
{
    struct error error;
    while (must_try_again(feed_follow(service->feed, &error), &error))
        ;
    must(transport_watch_open(&service->watch, &error), &error);
    service->api.readers = service->readers;
    service->api.feed = service->feed;
    service->running = true;
    rpc_server_serve(service->server);
    log_plain(LOG_INFO, "service.ready");
}

/* Close the server before the feed: it queries the feed until it is closed. */
static void drain_and_close(struct history_service *service)
{
    if (!rpc_server_drain(service->server, (uint32_t)service->settings.service.drain_grace_ms))
        log_plain(LOG_WARN, "service.drain_incomplete");
    ops_close(service->ops);
    transport_watch_close(service->watch);
    reader_pool_close(service->readers);
    rpc_server_close(service->server);
    feed_close(service->feed);
}

static int report_failure(const struct error *error)
{
    log_say(PROGRAM, error->message);
    return SERVICE_EXIT_FAILED;
}

/* --replay-dead-letters: runs only the writer, with no listener and no subscribers. */
static int replay_dead_letters(struct history_service *service)
{
    struct error error;
    size_t applied = 0, left = 0;
    struct db *db = open_database(&service->settings);
    if (db == NULL)
        return SERVICE_EXIT_FAILED;
    open_feed(service, db);
    enum status status = dead_letters_replay(feed_writer(service->feed), service->settings.service.database,
                                             SCHEMA_LIVE, &applied, &left, &error);
    feed_close(service->feed);
    if (status != STATUS_OK)
        return report_failure(&error);
    printf("%zu dead letters applied, %zu left\n", applied, left);
    return left == 0 ? 0 : SERVICE_EXIT_FAILED;
}

static int rebuild(const struct settings *settings)
{
    struct error error;
    struct rebuild_counts counts;
    const struct feed_options options = feed_settings(settings);
    struct db *db = open_database(settings);
    if (db == NULL)
        return SERVICE_EXIT_FAILED;
    enum status status = rebuild_run(&options, db, (uint32_t)settings->rebuild_timeout_s, &counts, &error);
    db_close(db);
    if (status != STATUS_OK)
        return report_failure(&error);
    printf("rebuilt: %llu booking events, %llu hospital events, %llu dead letters\n"
           "A history-svc that a log had diverged for must be restarted to follow it again.\n",
           (unsigned long long)counts.applied_seq[FEED_BOOKING],
           (unsigned long long)counts.applied_seq[FEED_HOSPITAL], (unsigned long long)counts.dead_letters);
    return 0;
}

int main(int argc, char **argv)
{
    standard_files_open();
    struct history_service service = {0};
    load_settings(&service.settings, argc, argv);
    if (service.settings.rebuild)
        return rebuild(&service.settings);
    if (service.settings.replay_dead_letters)
        return replay_dead_letters(&service);
    listen_on_address(&service);
    struct db *db = open_database(&service.settings);
    if (db == NULL) {
        ops_close(service.ops);
        rpc_server_close(service.server);
        return 0;
    }
    open_feed(&service, db);
    open_readers(&service);
    serve(&service);
    service_wait(argv, transport_watch_is_stuck, service.watch);
    drain_and_close(&service);
    return 0;
}
