/* history-svc stores the history of every booking, which it derives from both logs. */
#include "api.h"
#include "intake.h"
#include "rebuild.h"
#include "schema.h"
#include "settings.h"

#include <stdio.h>

#include "base/log.h"
#include "base/standard_files.h"
#include "service/app.h"

#include "screening/v1/words.h"

struct history_service {
    struct settings settings;
    struct app app;
    struct intake *intake;
    struct history_api api;
};

static struct intake_options intake_settings(const struct settings *settings, struct security *security)
{
    return (struct intake_options){
        .database_url = settings->service.database,
        .schema = SCHEMA_LIVE,
        .batch_max = (size_t)settings->service.batch_max,
        .message_max_bytes = (size_t)settings->service.message_max_bytes,
        .sources =
            {
                [INTAKE_BOOKING] = {settings->booking_rpc,
                                    settings->booking_events,
                                    {security, "booking-svc"}},
                [INTAKE_HOSPITAL] = {settings->hospital_rpc,
                                     settings->hospital_events,
                                     {security, "hospital-svc"}},
            },
    };
}

static enum status prepare_database(void *context, struct db *db, struct error *error)
{
    (void)context;
    return schema_prepare(db, SCHEMA_LIVE, error);
}

/* ---- parts ---- */

static enum status open_feed(void *context, struct error *error)
{
    struct history_service *service = context;
    const struct intake_options options = intake_settings(&service->settings, service->app.security);
    TRY(intake_open(&options, service->app.db, &service->intake, error));
    service->app.writer = intake_writer(service->intake);
    return STATUS_OK;
}

static void close_feed(void *context)
{
    struct history_service *service = context;
    intake_close(service->intake);
}

static enum status follow_logs(void *context, struct error *error)
{
    struct history_service *service = context;
    TRY(intake_follow(service->intake, error));
    for (int log = 0; log < INTAKE_LOG_COUNT; log++)
        service->app.followed[log] = intake_follower(service->intake, log);
    return STATUS_OK;
}

static void connect_api(void *context)
{
    struct history_service *service = context;
    service->api.readers = service->app.readers;
    service->api.intake = service->intake;
}

/* ---- --rebuild ---- */

static int rebuild(const struct settings *settings)
{
    struct error error;
    struct rebuild_counts counts;
    struct security *security = NULL;
    if (security_check_database(&settings->service.security, settings->service.database, &error) !=
            STATUS_OK ||
        security_open(&settings->service.security, HISTORY_PROGRAM, &security, &error) != STATUS_OK)
        service_config_error(HISTORY_PROGRAM, &error);
    const struct intake_options options = intake_settings(settings, security);
    struct db *db =
        service_open_database(HISTORY_PROGRAM, settings->service.database, prepare_database, NULL);
    if (db == NULL)
        return SERVICE_EXIT_FAILED;
    enum status status = rebuild_run(&options, db, (uint32_t)settings->rebuild_timeout_s, &counts, &error);
    db_close(db);
    security_close(security);
    if (status != STATUS_OK) {
        log_say(HISTORY_PROGRAM, error.message);
        return SERVICE_EXIT_FAILED;
    }
    printf("rebuilt: %llu booking events, %llu hospital events, %llu dead letters\n"
           "A history-svc that a log had diverged for must be restarted to follow it again.\n",
           (unsigned long long)counts.applied_seq[INTAKE_BOOKING],
           (unsigned long long)counts.applied_seq[INTAKE_HOSPITAL], (unsigned long long)counts.dead_letters);
    return 0;
}

int main(int argc, char **argv)
{
    standard_files_open();
    static struct history_service service;
    settings_load(&service.settings, argc, argv);
    history_api_init(&service.api);
    const struct app_options options = {
        .program = HISTORY_PROGRAM,
        .settings = &service.settings.service,
        .peers = {{"booking-rpc", service.settings.booking_rpc, "booking-events",
                   service.settings.booking_events},
                  {"hospital-rpc", service.settings.hospital_rpc, "hospital-events",
                   service.settings.hospital_events}},
        .queues = 1, /* for reads */
        .services = {&service.api.service.base},
        .schema = SCHEMA_LIVE,
        .prepare = prepare_database,
        .open_writer = open_feed,
        .close_writer = close_feed,
        .log_labels = {[INTAKE_BOOKING] = "log=\"" SCREENING_LOG_BOOKING "\"",
                       [INTAKE_HOSPITAL] = "log=\"" SCREENING_LOG_HOSPITAL "\""},
        .parts = {{.open = follow_logs}},
        .connect = connect_api,
        .service = &service,
    };
    if (service.settings.rebuild)
        return rebuild(&service.settings);
    if (service.settings.replay_dead_letters)
        return app_replay_dead_letters(&service.app, &options);
    return app_run(&service.app, &options);
}
