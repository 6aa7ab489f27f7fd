/* Reads the settings of history-svc from flags and environment. */
#ifndef SCREENING_HISTORY_SVC_SETTINGS_H
#define SCREENING_HISTORY_SVC_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "service/config.h"

#define HISTORY_PROGRAM "history-svc"

struct settings {
    struct service_settings service;
    const char *hospital_rpc;
    const char *hospital_events;
    const char *booking_rpc;
    const char *booking_events;
    int64_t rebuild_timeout_s;
    bool replay_dead_letters;
    bool rebuild;
};

/*
 * Loads the settings, calls service_begin, and logs the settings. Call settings_load at the start of main.
 * Exits if a setting is invalid, and after a flag such as --help.
 */
void settings_load(struct settings *settings, int argc, char **argv);

#endif
