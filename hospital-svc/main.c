/*
 * hospital-svc: manages hospitals and their screening days, reserves places, frees them when bookings end.
 */
#include "api.h"
#include "batch.h"
#include "overcommit.h"
#include "pairing.h"
#include "policy.h"
#include "purge.h"
#include "settings.h"
#include "store.h"
#include "store_read.h"

#include <stdatomic.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/repeat.h"
#include "base/standard_files.h"
#include "events/event_log.h"
#include "events/publisher.h"
#include "events/subscriber.h"
#include "rpc/channel.h"
#include "rpc/server.h"
#include "rpc/transport_watch.h"
#include "service/connection_limits.h"
#include "service/database_metric.h"
#include "service/log_metrics.h"
#include "service/ops.h"
#include "service/service.h"

enum { RETRY_MS = 200, LIVE_LISTED_MAX = 100 };
/* Requests in flight beyond those in the queues of commands and reads: requests being refused, and long
 * polls. */
enum { CONTEXTS_SPARE = 512 };
enum { FETCH_MAX = 1024 * 1024, FETCH_HEADER_MAX = 4096 /* everything but the events */ };

/* Everything that runs, in start order. */
struct hospital_service {
    struct settings settings;
    struct ops_server *ops;
    struct rpc_server *server;
    struct event_publisher *publisher;
    struct db *db; /* until the writer takes it over */
    struct event_log *log;
    struct batch *batch;
    struct writer *writer;
    struct reader_pool *readers;
    struct rpc_channel *booking;
    struct event_subscriber *subscriber;
    struct hospital_api api;
    struct purge purge;
    struct overcommit overcommit;
    struct pairing pairing;
    struct transport_watch *watch;
    atomic_bool running; /* everything above is open, so Health and Stats may use it */
};

typedef enum status (*start_fn)(struct hospital_service *service, struct error *error);

static void must(enum status status, const struct error *error)
{
    if (status != STATUS_OK)
        service_config_error(HOSPITAL_PROGRAM, error);
}

static const char *find_trouble(void *context)
{
    struct hospital_service *service = context;
    return service->running ? writer_database_trouble(service->writer) : SERVICE_STARTING;
}

static size_t list_degraded(void *context, char reasons[RPC_DEGRADED_MAX][RPC_DEGRADED_TEXT_SIZE])
{
    struct hospital_service *service = context;
    size_t count = 0;
    if (!service->running)
        return 0;
    count += service_damage_degrades(reasons[count], RPC_DEGRADED_TEXT_SIZE);
    count += event_subscriber_degraded(service->subscriber, reasons[count], RPC_DEGRADED_TEXT_SIZE);
    count += pairing_degraded(&service->pairing, reasons + count, RPC_DEGRADED_MAX - count - 1);
    count += overcommit_degraded(&service->overcommit, reasons[count], RPC_DEGRADED_TEXT_SIZE);
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
    struct hospital_service *service = context;
    return service->running ? rpc_server_not_ready(service->server) : SERVICE_STARTING;
}

static void refresh_metrics(void *context)
{
    struct hospital_service *service = context;
    if (service->running) {
        log_metrics_refresh(FOLLOWED_BOOKING, service->subscriber);
        database_metric_refresh(service->readers);
    }
}

static enum status open_ops(struct hospital_service *service, struct error *error)
{
    const struct ops_options options = {
        .listen = service->settings.service.ops_listen,
        .not_ready = tell_why_not_ready,
        .refresh = refresh_metrics,
        .context = service,
    };
    return ops_open(&options, &service->ops, error);
}

/* Runs before the database is opened: if a port is taken, the start must not leave a new database. */
static void listen_on_addresses(struct hospital_service *service)
{
    const struct service_settings *settings = &service->settings.service;
    const struct rpc_server_options rpc = {
        .address = settings->rpc_listen,
        .gateway_address = settings->gateway_listen,
        .program = HOSPITAL_PROGRAM,
        .contexts = 2 * (size_t)settings->queue_max + CONTEXTS_SPARE,
        .message_max_bytes = (size_t)settings->message_max_bytes,
        .default_timeout_ms = (uint32_t)settings->default_timeout_ms,
    };
    const struct event_publisher_options events = {.topic = "hospital",
                                                   .fetch_max_bytes = fetch_max_bytes(settings),
                                                   .address = service->settings.events_listen};
    struct error error;
    must(service_limit_connections(settings, &error), &error);
    must(open_ops(service, &error), &error);
    must(rpc_server_open(&rpc, &service->server, &error), &error);
    service_listens_at(rpc.address);
    service_listens_at(rpc.gateway_address);
    must(event_publisher_open(&events, &service->publisher, &error), &error);
    service_listens_at(events.address);
    hospital_api_init(&service->api);
    rpc_server_add(service->server, &service->api.service.base);
    rpc_server_add(service->server, event_publisher_service(service->publisher));
    rpc_server_observe(service->server, find_trouble, list_degraded, service);
    must(rpc_server_start(service->server, &error), &error);
}

/* ---- start steps ---- */

static void list_live(void *context, const struct uuid *booking_id)
{
    (void)context;
    log_event(LOG_WARN, "reservation.live", LOG_UUID("booking_id", booking_id),
              LOG_TEXT("request_id", "follow-log-from-start"));
}

/*
 * Deletes the cursor and the dead letters of the log; every effect of the log is idempotent. A booking whose
 * events were lost with the log's tail will never release its places, and only the booking log shows which
 * bookings these are. So log the number of live reservations and list the newest, where the lost ones are
 * to be found.
 */
static enum status follow_log_from_start(struct db *db, struct error *error)
{
    int64_t count = 0;
    enum status status = event_log_give_up(db, BOOKING_LOG, NULL, error);
    if (status == STATUS_OK)
        status = store_list_live(db, LIVE_LISTED_MAX, &count, list_live, NULL, error);
    if (status == STATUS_OK) {
        log_event(LOG_WARN, "booking_log.followed_from_start", LOG_INT("live_reservations", count),
                  LOG_INT("listed_at_most", LIVE_LISTED_MAX));
    }
    return status;
}

static enum status prepare_database(void *context, struct db *db, struct error *error)
{
    const struct settings *settings = context;
    enum status status = db_claim(db, "hospital", error);
    if (status == STATUS_OK)
        status = events_migrate(db, error);
    if (status == STATUS_OK)
        status = db_migrate(db, "hospital", HOSPITAL_MIGRATIONS, HOSPITAL_MIGRATION_COUNT, error);
    if (status == STATUS_OK && settings->follow_log_from_start[0] != '\0')
        status = follow_log_from_start(db, error);
    if (status == STATUS_OK && settings->acknowledge_recovery)
        status = store_acknowledge_recovery(db, error);
    return status;
}

static enum status open_database(struct hospital_service *service, struct error *error)
{
    service->db = service_open_database(HOSPITAL_PROGRAM, service->settings.service.database,
                                        prepare_database, &service->settings);
    return service->db != NULL ? STATUS_OK : error_set(error, STATUS_UNAVAILABLE, NULL, "asked to stop");
}

static enum status open_writer(struct hospital_service *service, struct error *error)
{
    const struct writer_options options = {.batch_max = (size_t)service->settings.service.batch_max,
                                           .queue_max = (size_t)service->settings.service.queue_max};
    service->log = event_log_create(service->publisher);
    service->batch = service->log != NULL ? batch_create(service->log) : NULL;
    if (service->batch == NULL) {
        event_log_destroy(service->log);
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "out of memory");
    }
    batch_on_unpaired(service->batch, pairing_note, &service->pairing);
    const struct writer_ops ops = batch_ops(service->batch);
    enum status status = writer_open(service->db, &options, &ops, &service->writer, error);
    if (status != STATUS_OK) {
        batch_destroy(service->batch);
        event_log_destroy(service->log);
        return status;
    }
    service->db = NULL;
    return STATUS_OK;
}

static enum status open_readers(struct hospital_service *service, struct error *error)
{
    const struct reader_options options = {
        .threads = (size_t)service->settings.service.reader_threads,
        .queue_max = (size_t)service->settings.service.queue_max,
    };
    return reader_pool_open(service->settings.service.database, &options, &service->readers, error);
}

static enum status start_publisher(struct hospital_service *service, struct error *error)
{
    return event_publisher_start(service->publisher, service->settings.service.database, error);
}

static enum status open_channel(struct hospital_service *service, struct error *error)
{
    const struct rpc_channel_options options = {
        .address = service->settings.booking_rpc,
        .message_max_bytes = (size_t)service->settings.service.message_max_bytes,
    };
    return rpc_channel_open(&options, &service->booking, error);
}

static enum status follow_bookings(struct hospital_service *service, struct error *error)
{
    const struct event_subscriber_options options = {
        .log = BOOKING_LOG,
        .subscriber = HOSPITAL_PROGRAM,
        .events_address = service->settings.booking_events,
        .channel = service->booking,
        .writer = service->writer,
        .has_effect = policy_has_effect,
        .database_url = service->settings.service.database,
    };
    return event_subscriber_open(&options, &service->subscriber, error);
}

/* Repeats a step until it succeeds, because the database may go away during the start. False if asked to
 * stop. */
static bool start_step(struct hospital_service *service, start_fn step)
{
    struct error error;
    struct repeat waiting = {0};
    while (step(service, &error) != STATUS_OK) {
        if (!db_may_heal(&error))
            service_config_error(HOSPITAL_PROGRAM, &error);
        if (service_stop_requested(waiting.lasts ? RETRY_MS : 0))
            return false;
        if (repeat_is_due(&waiting, clock_monotonic_ns()))
            log_event(LOG_WARN, "start.waiting", LOG_TEXT("error", error.message));
    }
    return true;
}

static enum status start_pairing(struct hospital_service *service, struct error *error)
{
    return pairing_open(&service->pairing, service->writer, service->subscriber, service->booking, error);
}

static enum status start_purge(struct hospital_service *service, struct error *error)
{
    return purge_open(&service->purge, service->writer, service->settings.reservation_retention_days, error);
}

static enum status start_overcommit(struct hospital_service *service, struct error *error)
{
    return overcommit_open(&service->overcommit, service->readers, error);
}

static enum status start_watch(struct hospital_service *service, struct error *error)
{
    return transport_watch_open(&service->watch, error);
}

static bool start(struct hospital_service *service)
{
    static const start_fn STEPS[] = {open_database,    open_writer,     open_readers,  start_publisher,
                                     open_channel,     follow_bookings, start_pairing, start_purge,
                                     start_overcommit, start_watch};
    for (size_t i = 0; i < sizeof STEPS / sizeof STEPS[0]; i++)
        if (!start_step(service, STEPS[i]))
            return false;
    return true;
}

/* ---- run and stop ---- */

static void serve(struct hospital_service *service)
{
    service->api.writer = service->writer;
    service->api.readers = service->readers;
    service->running = true;
    rpc_server_serve(service->server);
    log_plain(LOG_INFO, "service.ready");
}

static void drain(struct hospital_service *service)
{
    event_publisher_drain(service->publisher);
    if (!rpc_server_drain(service->server, (uint32_t)service->settings.service.drain_grace_ms))
        log_plain(LOG_WARN, "service.drain_incomplete");
}

static void close_writer(struct hospital_service *service)
{
    if (service->writer != NULL) {
        writer_close(service->writer);
        batch_destroy(service->batch);
        event_log_destroy(service->log);
    }
    db_close(service->db);
}

/* Closes everything in reverse order. Also cleans up after an abandoned start. */
static void close_all(struct hospital_service *service)
{
    ops_close(service->ops);
    transport_watch_close(service->watch);
    overcommit_close(&service->overcommit);
    purge_close(&service->purge);
    if (service->booking != NULL) {
        rpc_channel_stop(service->booking); /* ends a Pair in flight */
        pairing_close(&service->pairing);   /* before the subscriber, which it uses */
    }
    event_subscriber_close(service->subscriber);
    if (service->booking != NULL)
        rpc_channel_close(service->booking);
    if (service->readers != NULL)
        reader_pool_close(service->readers);
    close_writer(service);
    pairing_destroy(&service->pairing);
    rpc_server_close(service->server);
    event_publisher_close(service->publisher);
}

/* ---- --replay-dead-letters: runs only a writer ---- */

static int replay_dead_letters(struct hospital_service *service)
{
    struct error error;
    size_t applied = 0;
    size_t left = 0;
    if (!start_step(service, open_database) || !start_step(service, open_writer)) {
        close_writer(service);
        return SERVICE_EXIT_FAILED;
    }
    enum status status = dead_letters_replay(service->writer, service->settings.service.database, NULL,
                                             &applied, &left, &error);
    close_writer(service);
    if (status != STATUS_OK) {
        log_say(HOSPITAL_PROGRAM, error.message);
        return SERVICE_EXIT_FAILED;
    }
    (void)printf("%zu dead letters applied, %zu left\n", applied, left);
    return left == 0 ? 0 : SERVICE_EXIT_FAILED;
}

int main(int argc, char **argv)
{
    standard_files_open();
    static struct hospital_service service;
    settings_load(&service.settings, argc, argv);
    struct error error;
    must(pairing_init(&service.pairing, service.settings.adopt, &error), &error);
    if (service.settings.replay_dead_letters)
        return replay_dead_letters(&service);
    listen_on_addresses(&service);
    if (start(&service)) {
        serve(&service);
        service_wait(argv, transport_watch_is_stuck, service.watch);
        drain(&service);
    }
    close_all(&service);
    return 0;
}
