/* Reads the settings of jetstream-bridge from flags and environment. */
#ifndef SCREENING_JETSTREAM_BRIDGE_SETTINGS_H
#define SCREENING_JETSTREAM_BRIDGE_SETTINGS_H

#include "broker.h"

#include <stdint.h>

#include "service/config.h"

#define BRIDGE_PROGRAM "jetstream-bridge"

struct settings {
    const char *hospital_rpc, *hospital_events, *booking_rpc, *booking_events;
    const char *ops_listen, *log_level;
    struct security_settings security;
    struct broker_options broker;
    int64_t stream_replicas, message_max_bytes;
};

/*
 * Loads the settings, calls service_begin, and logs the settings. Call it at the start of main. Exits if a
 * setting is invalid, and after a flag such as --help.
 */
void settings_load(struct settings *settings, int argc, char **argv);

#endif
