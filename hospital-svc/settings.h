/* Reads the settings of hospital-svc from flags and environment. */
#ifndef SCREENING_HOSPITAL_SVC_SETTINGS_H
#define SCREENING_HOSPITAL_SVC_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "service/config.h"

#include "screening/v1/words.h"

#define HOSPITAL_PROGRAM "hospital-svc"

struct settings {
    struct service_settings service;
    const char *events_listen;
    const char *booking_rpc;
    const char *booking_events;
    int64_t reservation_retention_days;
    bool replay_dead_letters;
    const char *follow_log_from_start; /* empty, or SCREENING_LOG_BOOKING */
    bool adopt;
    bool acknowledge_recovery;
};

/*
 * Loads the settings, calls service_begin, and logs the settings. Call settings_load at the start of main.
 * Exits if a setting is invalid, and after a flag such as --help.
 */
void settings_load(struct settings *settings, int argc, char **argv);

#endif
