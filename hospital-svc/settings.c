#include "settings.h"

#include "service/service.h"

void settings_load(struct settings *settings, int argc, char **argv)
{
    const struct setting table[] = {
        // clang-format off
        SERVICE_SETTINGS(settings->service, "tcp://127.0.0.1:7101", "127.0.0.1:7109", "sqlite:hospital.db"),
        SWITCH("public-catalogue", settings->service.security.public_catalogue, "hospitals and availability may be read without a token"),
        ADDRESS("events-listen", settings->events_listen, "tcp://127.0.0.1:7102", "address on which the hospital log is published"),
        ADDRESSES("booking-rpc", settings->booking_rpc, "tcp://127.0.0.1:7201", "addresses of booking-svc's calls, separated by commas, to fetch its log and to pair with it"),
        ADDRESSES("booking-events", settings->booking_events, "tcp://127.0.0.1:7202", "addresses of the replicas that publish the booking log, separated by commas"),
        NUMBER("reservation-retention-days", settings->reservation_retention_days, "7", 1, 36500, "days after the screening date for which released reservations are kept"),
        ACTION("replay-dead-letters", settings->replay_dead_letters, "apply the dead letters again, print how many, and exit"),
        ACTION_ON("follow-log-from-start", settings->follow_log_from_start, "start once with NAME (booking) after LOG_DIVERGED: follow that log from its start"),
        ACTION("adopt", settings->adopt, "start once with this flag after WRONG_DATABASE: accept a database other than the paired one"),
        ACTION("acknowledge-recovery", settings->acknowledge_recovery, "start once with this flag: acknowledge the findings after the database went back"),
        // clang-format on
    };
    const size_t count = sizeof table / sizeof table[0];
    config_load(HOSPITAL_PROGRAM, "Keeps hospitals, their screening days and the places reserved there.",
                table, count, argc, argv);
    config_must_be(HOSPITAL_PROGRAM, "follow-log-from-start", settings->follow_log_from_start,
                   SCREENING_LOG_BOOKING);
    service_begin(HOSPITAL_PROGRAM, settings->service.log_level, settings->service.time_zone);
    config_log(table, count);
}
