/* hospital-svc: stores hospitals and their screening days, reserves places and releases them. */
#include "api.h"
#include "batch.h"
#include "overcommit.h"
#include "pairing.h"
#include "policy.h"
#include "prepare.h"
#include "purge.h"
#include "settings.h"

#include "base/log.h"
#include "base/standard_files.h"
#include "events/event_log.h"
#include "rpc/channel.h"
#include "service/app.h"

struct hospital_service {
    struct settings settings;
    struct app app;
    struct event_log *log;
    struct batch *batch;
    struct rpc_channel *booking;
    struct security_peer booking_peer;
    struct hospital_api api;
    struct purge purge;
    struct overcommit overcommit;
    struct pairing pairing;
};

static enum status prepare_database(void *context, struct db *db, struct error *error)
{
    const struct hospital_service *service = context;
    return prepare(db, &service->settings, error);
}

static void close_batch(void *context)
{
    struct hospital_service *service = context;
    batch_destroy(service->batch);
    event_log_destroy(service->log);
    pairing_destroy(&service->pairing); /* last, because the batch reports unpaired eras to the pairing */
}

static enum status open_writer(void *context, struct error *error)
{
    struct hospital_service *service = context;
    pairing_init(&service->pairing, service->settings.adopt);
    service->log = event_log_create(service->app.publisher);
    service->batch = service->log != NULL ? batch_create(service->log) : NULL;
    if (service->batch == NULL) {
        close_batch(service);
        return error_no_memory(error);
    }
    batch_on_unpaired(service->batch, pairing_note, &service->pairing);
    const struct writer_ops ops = batch_ops(service->batch);
    enum status status = app_open_writer(&service->app, &ops, error);
    if (status != STATUS_OK)
        close_batch(service);
    return status;
}

static enum status open_channel(void *context, struct error *error)
{
    struct hospital_service *service = context;
    struct rpc_channel_options options = {
        .address = service->settings.booking_rpc,
        .message_max_bytes = (size_t)service->settings.service.message_max_bytes,
        .peer = "booking-svc",
        .retry = {.min_per_s = 1}, /* how often a call may leave a silent replica */
    };
    service->booking_peer = (struct security_peer){service->app.security, "booking-svc"};
    security_introduce(&service->booking_peer, &options);
    return rpc_channel_open(&options, &service->booking, error);
}

static void close_channel(void *context)
{
    struct hospital_service *service = context;
    rpc_channel_close(service->booking);
}

static enum status follow_bookings(void *context, struct error *error)
{
    struct hospital_service *service = context;
    const struct event_follower_options options = {
        .log = SCREENING_LOG_BOOKING,
        .subscriber = HOSPITAL_PROGRAM,
        .events_addresses = service->settings.booking_events,
        .channel = service->booking,
        .writer = service->app.writer,
        .has_effect = policy_has_effect,
        .database_url = service->settings.service.database,
    };
    return event_follower_open(&options, &service->app.followed[0], error);
}

static void stop_following(void *context)
{
    struct hospital_service *service = context;
    event_follower_close(service->app.followed[0]);
}

static enum status start_pairing(void *context, struct error *error)
{
    struct hospital_service *service = context;
    struct event_follower *follower = service->app.followed[0];
    return pairing_open(&service->pairing, service->app.writer, follower, service->booking, error);
}

static void stop_pairing(void *context)
{
    struct hospital_service *service = context;
    rpc_channel_stop(service->booking); /* ends a Pair call in flight */
    pairing_close(&service->pairing);
}

static enum status start_purge(void *context, struct error *error)
{
    struct hospital_service *service = context;
    int64_t retention_days = service->settings.reservation_retention_days;
    return purge_open(&service->purge, service->app.writer, retention_days, error);
}

static void stop_purge(void *context)
{
    struct hospital_service *service = context;
    purge_close(&service->purge);
}

static enum status start_overcommit(void *context, struct error *error)
{
    struct hospital_service *service = context;
    return overcommit_open(&service->overcommit, service->app.readers, error);
}

static void stop_overcommit(void *context)
{
    struct hospital_service *service = context;
    overcommit_close(&service->overcommit);
}

static void connect_api(void *context)
{
    struct hospital_service *service = context;
    service->api.writer = service->app.writer;
    service->api.readers = service->app.readers;
}

static size_t list_degraded(void *context, char reasons[][RPC_DEGRADED_TEXT_SIZE], size_t max)
{
    struct hospital_service *service = context;
    size_t count = pairing_degraded(&service->pairing, reasons, max - 1);
    return count + overcommit_degraded(&service->overcommit, reasons[count], RPC_DEGRADED_TEXT_SIZE);
}

static void log_waiting(const struct error *error)
{
    if (error != NULL)
        log_event(LOG_WARN, "start.waiting", LOG_TEXT("error", error->message));
}

int main(int argc, char **argv)
{
    standard_files_open();
    static struct hospital_service service;
    settings_load(&service.settings, argc, argv);
    hospital_api_init(&service.api);
    const struct app_options options = {
        .program = HOSPITAL_PROGRAM,
        .settings = &service.settings.service,
        .topic = SCREENING_LOG_HOSPITAL,
        .events_listen = service.settings.events_listen,
        .peers = {{"booking-rpc", service.settings.booking_rpc, "booking-events",
                   service.settings.booking_events}},
        .queues = 2, /* for commands and reads */
        .services = {&service.api.service.base},
        .prepare = prepare_database,
        .open_writer = open_writer,
        .close_writer = close_batch,
        .log_labels = {"log=\"" SCREENING_LOG_BOOKING "\""},
        .parts =
            {
                {open_channel, close_channel, NULL},
                {follow_bookings, stop_following, NULL},
                {start_pairing, stop_pairing, NULL},
                {start_purge, stop_purge, NULL},
                {start_overcommit, stop_overcommit, NULL},
            },
        .degraded = list_degraded,
        .log_waiting = log_waiting,
        .connect = connect_api,
        .service = &service,
    };
    if (service.settings.replay_dead_letters)
        return app_replay_dead_letters(&service.app, &options);
    return app_run(&service.app, &options);
}
