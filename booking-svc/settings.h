/* Reads the settings of booking-svc from flags and environment. */
#ifndef SCREENING_BOOKING_SVC_SETTINGS_H
#define SCREENING_BOOKING_SVC_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "service/config.h"

#include "screening/v1/words.h"

#define BOOKING_PROGRAM "booking-svc"

struct settings {
    struct service_settings service;
    const char *events_listen;
    const char *hospital_rpc;
    const char *hospital_events;
    int64_t reserve_timeout_ms;
    int64_t reserve_calls_max;
    int64_t breaker_window_ms, breaker_min_calls, breaker_failure_percent, breaker_open_ms, breaker_probes;
    int64_t retry_budget_percent, retry_budget_min_per_s;
    const char *follow_log_from_start; /* empty, or SCREENING_LOG_HOSPITAL */
    bool replay_dead_letters;
};

/*
 * Loads the settings, calls service_begin, and logs the settings. Call settings_load at the start of main.
 * Exits if a setting is invalid, and after a flag such as --help.
 */
void settings_load(struct settings *settings, int argc, char **argv);

#endif
