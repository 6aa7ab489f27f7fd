#include "settings.h"

#include <string.h>

#include "service/service.h"

static void check_database(const char *url)
{
    struct error error;
    if (strncmp(url, "sqlite:", strlen("sqlite:")) != 0)
        return;
    (void)error_invalid(&error, "database: history-svc needs postgresql://..., not a SQLite file");
    service_config_error(HISTORY_PROGRAM, &error);
}

void settings_load(struct settings *settings, int argc, char **argv)
{
    const struct setting table[] = {
        // clang-format off
        SERVICE_SETTINGS(settings->service, "tcp://127.0.0.1:7301", "127.0.0.1:7309", NULL),
        ADDRESSES("hospital-rpc", settings->hospital_rpc, "tcp://127.0.0.1:7101", "addresses of hospital-svc's calls, separated by commas"),
        ADDRESSES("hospital-events", settings->hospital_events, "tcp://127.0.0.1:7102", "addresses of the replicas that publish the hospital log, separated by commas"),
        ADDRESSES("booking-rpc", settings->booking_rpc, "tcp://127.0.0.1:7201", "addresses of booking-svc's calls, separated by commas"),
        ADDRESSES("booking-events", settings->booking_events, "tcp://127.0.0.1:7202", "addresses of the replicas that publish the booking log, separated by commas"),
        NUMBER("rebuild-timeout-s", settings->rebuild_timeout_s, "600", 1, 86400, "longest wait of --rebuild without progress, in s"),
        ACTION("rebuild", settings->rebuild, "rebuild all tables from both logs, then exit; a running history-svc continues with the new tables"),
        ACTION("replay-dead-letters", settings->replay_dead_letters, "apply the dead letters again, print how many, and exit"),
        // clang-format on
    };
    const size_t count = sizeof table / sizeof table[0];
    config_load(HISTORY_PROGRAM, "Keeps and serves the history of all bookings.", table, count, argc, argv);
    check_database(settings->service.database);
    service_begin(HISTORY_PROGRAM, settings->service.log_level, settings->service.time_zone);
    config_log(table, count);
}
