#include "settings.h"

#include "store.h"

#include "service/service.h"

void settings_load(struct settings *settings, int argc, char **argv)
{
    const struct setting table[] = {
        // clang-format off
        SERVICE_SETTINGS(settings->service, "tcp://127.0.0.1:7201", "127.0.0.1:7209", "sqlite:booking.db"),
        ADDRESS("events-listen", settings->events_listen, "tcp://127.0.0.1:7202", "address on which the booking log is published"),
        ADDRESSES("hospital-rpc", settings->hospital_rpc, "tcp://127.0.0.1:7101", "addresses of hospital-svc's calls, separated by commas"),
        ADDRESSES("hospital-events", settings->hospital_events, "tcp://127.0.0.1:7102", "addresses of the replicas that publish the hospital log, separated by commas"),
        NUMBER("reserve-timeout-ms", settings->reserve_timeout_ms, "600", 10, 60000, "longest wait for hospital-svc's answer to one call, in ms"),
        NUMBER("reserve-calls-max", settings->reserve_calls_max, "32", 1, 1024, "calls to hospital-svc in flight at once"),
        NUMBER("breaker-window-ms", settings->breaker_window_ms, "10000", 0, 600000, "time for which the breaker counts calls to hospital-svc, in ms; 0 = no breaker"),
        NUMBER("breaker-min-calls", settings->breaker_min_calls, "20", 1, 1000000, "fewer calls in the window never open the breaker"),
        NUMBER("breaker-failure-percent", settings->breaker_failure_percent, "50", 1, 100, "failed calls in the window that open the breaker, in percent"),
        NUMBER("breaker-open-ms", settings->breaker_open_ms, "5000", 1, 600000, "time without calls to hospital-svc after the breaker opens, in ms"),
        NUMBER("breaker-probes", settings->breaker_probes, "3", 1, 1000, "probe calls at once after that; as many successes in a row close the breaker"),
        NUMBER("retry-budget-percent", settings->retry_budget_percent, "10", 0, 100, "calls to hospital-svc that may be sent again, in percent"),
        NUMBER("retry-budget-min-per-s", settings->retry_budget_min_per_s, "10", 1, 1000, "calls per second that may be sent again in any case"),
        ACTION_ON("follow-log-from-start", settings->follow_log_from_start, "start once with NAME (hospital) after LOG_DIVERGED: follow that log from its start"),
        ACTION("replay-dead-letters", settings->replay_dead_letters, "apply the dead letters again, print how many, and exit"),
        // clang-format on
    };
    const size_t count = sizeof table / sizeof table[0];
    config_load(BOOKING_PROGRAM, "Takes bookings and keeps their state.", table, count, argc, argv);
    config_must_be(BOOKING_PROGRAM, "follow-log-from-start", settings->follow_log_from_start,
                   SCREENING_LOG_HOSPITAL);
    service_begin(BOOKING_PROGRAM, settings->service.log_level, settings->service.time_zone);
    config_log(table, count);
}
