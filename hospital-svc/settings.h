/* What hospital-svc can be told by flags and environment. */
#ifndef SCREENING_HOSPITAL_SVC_SETTINGS_H
#define SCREENING_HOSPITAL_SVC_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "service/config.h"

#define HOSPITAL_PROGRAM "hospital-svc"
#define BOOKING_LOG      "booking"

struct settings {
    struct service_settings service;
    const char *events_listen;
    const char *booking_rpc;
    const char *booking_events;
    int64_t reservation_retention_days;
    bool replay_dead_letters;
    const char *follow_log_from_start; /* empty, or BOOKING_LOG */
    bool adopt;
    bool acknowledge_recovery;
};

/*
 * Reads them, ends the program if they are wrong (or only asked for), then begins the service (service_begin)
 * and logs the settings. First thing in main.
 */
void settings_load(struct settings *settings, int argc, char **argv);

#endif
