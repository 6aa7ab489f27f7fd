/* booking-svc: accepts bookings, reserves their places in hospital-svc, and publishes their outcomes. */
#include "api.h"
#include "flow.h"
#include "placements.h"
#include "settings.h"
#include "settler.h"
#include "store.h"

#include "base/standard_files.h"
#include "db/migrate.h"
#include "service/app.h"

/*
 * The maximum number of calls in flight to hospital-svc for which no client waits: Fetches of the hospital
 * log, and the background Reserve.
 */
enum { OTHER_CALLS_MAX = 5 };

struct booking_service {
    struct settings settings;
    struct app app;
    struct flow flow;
    struct rpc_channel *hospital;
    struct security_peer hospital_peer;
    struct placements *placements;
    struct settler *settler;
    struct booking_api api;
    struct pairing_service pairing;
};

static enum status prepare_database(void *context, struct db *db, struct error *error)
{
    const struct booking_service *service = context;
    TRY(db_claim(db, "booking", error));
    TRY(events_migrate(db, error));
    TRY(store_migrate(db, error));
    if (service->settings.follow_log_from_start[0] != '\0')
        return event_log_give_up(db, SCREENING_LOG_HOSPITAL, store_forget_deletions, error);
    return STATUS_OK;
}

static enum status open_flow(void *context, struct error *error)
{
    struct booking_service *service = context;
    service->flow.pairing = &service->pairing;
    return flow_open(&service->flow, &service->app, error);
}

static void close_flow(void *context)
{
    struct booking_service *service = context;
    flow_close(&service->flow);
}

static enum status open_channel(struct booking_service *service, struct error *error)
{
    const struct settings *settings = &service->settings;
    struct rpc_channel_options channel = {
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
    service->hospital_peer = (struct security_peer){service->app.security, "hospital-svc"};
    security_introduce(&service->hospital_peer, &channel);
    return rpc_channel_open(&channel, &service->hospital, error);
}

static void close_reserver(void *context)
{
    struct booking_service *service = context;
    reserver_destroy(service->flow.reserver);
    rpc_channel_close(service->hospital); /* no batch and no answer uses the breaker any more */
    placements_destroy(service->placements);
}

static enum status open_reserver(void *context, struct error *error)
{
    struct booking_service *service = context;
    const struct reserver_options options = {
        .timeout_ms = (uint32_t)service->settings.reserve_timeout_ms,
        .calls_max = (size_t)service->settings.reserve_calls_max,
    };
    TRY(open_channel(service, error));
    service->placements = placements_create();
    enum status status =
        service->placements == NULL
            ? error_no_memory(error)
            : reserver_open(&options, service->hospital, service->placements, &service->flow.reserver, error);
    if (status == STATUS_OK)
        placements_connect(service->placements, service->app.writer, service->flow.reserver);
    else
        close_reserver(service);
    return status;
}

static void stop_reserver(void *context)
{
    struct booking_service *service = context;
    reserver_stop(service->flow.reserver);
    /* No client waits for the calls in flight, most of which are the settler's. */
    rpc_channel_stop(service->hospital);
    reserver_settle_rest(service->flow.reserver);
}

static enum status start_jobs(void *context, struct error *error)
{
    struct booking_service *service = context;
    const char *database = service->settings.service.database;
    struct flow *flow = &service->flow;
    TRY(deletion_job_open(database, service->app.writer, &flow->deletions, error));
    enum status status =
        settler_open(database, service->placements, flow->reserver, &service->settler, error);
    if (status != STATUS_OK)
        deletion_job_destroy(flow->deletions);
    return status;
}

static void stop_jobs(void *context)
{
    struct booking_service *service = context;
    settler_close(service->settler);
    deletion_job_stop(service->flow.deletions);
}

static void close_jobs(void *context)
{
    struct booking_service *service = context;
    deletion_job_destroy(service->flow.deletions);
}

static enum status follow_hospitals(void *context, struct error *error)
{
    struct booking_service *service = context;
    const struct event_follower_options options = {
        .log = SCREENING_LOG_HOSPITAL,
        .subscriber = BOOKING_PROGRAM,
        .events_addresses = service->settings.hospital_events,
        .channel = service->hospital,
        .writer = service->app.writer,
        .database_url = service->settings.service.database,
    };
    TRY(event_follower_open(&options, &service->app.followed[0], error));
    pairing_service_join_follower(&service->pairing, service->app.followed[0]);
    return STATUS_OK;
}

static void stop_following(void *context)
{
    struct booking_service *service = context;
    pairing_service_leave_follower(&service->pairing);
    event_follower_close(service->app.followed[0]);
}

static void connect_api(void *context)
{
    struct booking_service *service = context;
    service->api.placements = service->placements;
    service->api.writer = service->app.writer;
    service->api.readers = service->app.readers;
    service->pairing.writer = service->app.writer;
}

int main(int argc, char **argv)
{
    standard_files_open();
    static struct booking_service service;
    settings_load(&service.settings, argc, argv);
    booking_api_init(&service.api);
    pairing_service_init(&service.pairing);
    const struct app_options options = {
        .program = BOOKING_PROGRAM,
        .settings = &service.settings.service,
        .topic = SCREENING_LOG_BOOKING,
        .events_listen = service.settings.events_listen,
        .peers = {{"hospital-rpc", service.settings.hospital_rpc, "hospital-events",
                   service.settings.hospital_events}},
        .queues = 2, /* for commands and reads */
        .services = {&service.api.service.base, &service.pairing.service.base},
        .prepare = prepare_database,
        .open_writer = open_flow,
        .close_writer = close_flow,
        .log_labels = {"log=\"" SCREENING_LOG_HOSPITAL "\""},
        .parts =
            {
                {open_reserver, stop_reserver, close_reserver},
                {start_jobs, stop_jobs, close_jobs},
                {follow_hospitals, stop_following, NULL},
            },
        .connect = connect_api,
        .service = &service,
    };
    if (service.settings.replay_dead_letters)
        return app_replay_dead_letters(&service.app, &options);
    return app_run(&service.app, &options);
}
