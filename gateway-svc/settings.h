/* Reads the settings of gateway-svc from flags and environment. */
#ifndef SCREENING_GATEWAY_SVC_SETTINGS_H
#define SCREENING_GATEWAY_SVC_SETTINGS_H

#include "backend.h"

#include <stdint.h>

#include "service/config.h"

#define GATEWAY_PROGRAM "gateway-svc"

struct settings {
    const char *http_listen, *ops_listen, *log_level, *time_zone, *cors_origin;
    struct security_settings security;
    const char *rpc[BACKEND_COUNT];
    const char *hospital_events, *booking_events;
    int64_t message_max_bytes, connections_max, http_threads;
    int64_t request_timeout_ms, idle_timeout_ms, default_timeout_ms, timeout_max_ms, drain_grace_ms;
    int64_t listeners_max;
};

/*
 * Loads the settings, calls service_begin, and logs the settings. Call it at the start of main. Exits if a
 * setting is invalid, and after a flag such as --help.
 */
void settings_load(struct settings *settings, int argc, char **argv);

#endif
