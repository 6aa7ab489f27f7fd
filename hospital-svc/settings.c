#include "settings.h"

#include <string.h>

#include "service/service.h"

void settings_load(struct settings *settings, int argc, char **argv)
{
    const struct setting table[] = {
        SERVICE_SETTINGS(settings->service, "tcp://127.0.0.1:7101", "127.0.0.1:7109", "sqlite:hospital.db"),
        {.name = "events-listen",
         .type = SETTING_ADDRESS,
         .value = &settings->events_listen,
         .default_value = "tcp://127.0.0.1:7102",
         .help = "address on which the hospital log is published"},
        {.name = "booking-rpc",
         .type = SETTING_ADDRESS,
         .value = &settings->booking_rpc,
         .default_value = "tcp://127.0.0.1:7201",
         .help = "address of booking-svc's calls, to fetch its log and to pair with it"},
        {.name = "booking-events",
         .type = SETTING_ADDRESS,
         .value = &settings->booking_events,
         .default_value = "tcp://127.0.0.1:7202",
         .help = "address on which booking-svc publishes its log"},
        {.name = "reservation-retention-days",
         .type = SETTING_NUMBER,
         .value = &settings->reservation_retention_days,
         .default_value = "7",
         .min = 1,
         .max = 36500,
         .help = "days after the screening date for which released reservations are remembered"},
        {.name = "replay-dead-letters",
         .type = SETTING_SWITCH,
         .value = &settings->replay_dead_letters,
         .default_value = "false",
         .help = "apply the dead letters again, say how many, and end",
         .flag_only = true},
        {.name = "follow-log-from-start",
         .type = SETTING_TEXT,
         .value = &settings->follow_log_from_start,
         .default_value = "",
         .help = "start once with NAME (booking): follow that log anew, after LOG_DIVERGED",
         .flag_only = true},
        {.name = "adopt",
         .type = SETTING_SWITCH,
         .value = &settings->adopt,
         .default_value = "false",
         .help = "start once with it: accept another database than the one paired with, after WRONG_DATABASE",
         .flag_only = true},
        {.name = "acknowledge-recovery",
         .type = SETTING_SWITCH,
         .value = &settings->acknowledge_recovery,
         .default_value = "false",
         .help = "start once with it: what was found when the database had gone back has been seen",
         .flag_only = true},
    };
    const size_t count = sizeof table / sizeof table[0];
    config_load(HOSPITAL_PROGRAM, "Keeps hospitals, their screening days and the places reserved there.",
                table, count, argc, argv);
    if (settings->follow_log_from_start[0] != '\0' &&
        strcmp(settings->follow_log_from_start, BOOKING_LOG) != 0) {
        struct error error;
        (void)error_set(&error, STATUS_INVALID_ARGUMENT, NULL,
                        "--follow-log-from-start: must be " BOOKING_LOG);
        service_config_error(HOSPITAL_PROGRAM, &error);
    }
    service_begin(HOSPITAL_PROGRAM, settings->service.log_level, settings->service.time_zone);
    config_log(table, count);
}
