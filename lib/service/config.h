/*
 * Each program has one table of its settings. A setting takes its value from the flag `--rpc-listen VALUE` or
 * `--rpc-listen=VALUE`, otherwise from the environment variable SCREENING_RPC_LISTEN, otherwise from its
 * default. The last of several equal flags wins; an empty environment variable counts as unset. Every program
 * also accepts `--help`, `--version` and `--print-config`.
 */
#ifndef SCREENING_SERVICE_CONFIG_H
#define SCREENING_SERVICE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum setting_type {
    SETTING_TEXT,     /* const char * */
    SETTING_NUMBER,   /* int64_t, within min..max */
    SETTING_SWITCH,   /* bool: --name, --name=true|false; environment true|false */
    SETTING_ADDRESS,  /* const char *: tcp://HOST:PORT or ipc://PATH */
    SETTING_PRIVATE,  /* the same, restricted by private_address.h, or empty */
    SETTING_DATABASE, /* const char *: checked by db_url_check; shown without its password */
};

struct setting {
    const char *name;          /* "rpc-listen" */
    void *value;               /* receives the value; texts live as long as the process */
    const char *default_value; /* as text; NULL = required */
    int64_t min, max;
    const char *help; /* one line; units included */
    enum setting_type type;
    bool flag_only; /* an action, not a setting: no environment variable, not in --print-config */
};

/*
 * Reads flags and environment into the table's values. `--help`, `--version` and `--print-config` print on
 * stdout and exit with 0. An error, including a word that is not a flag, prints one line on stderr
 * ("hospital-svc: --queue-max: must be 1 to 1000000") and exits with 2.
 */
void config_load(const char *program, const char *summary, const struct setting *settings, size_t count,
                 int argc, char **argv);

/* Logs the effective configuration in one line, without secrets. After log_open. */
void config_log(const struct setting *settings, size_t count);

/* The settings shared by all services; each service appends them to its own table. */
struct service_settings {
    const char *rpc_listen;
    const char *gateway_listen; /* empty = none */
    const char *ops_listen;     /* empty = none */
    const char *database;
    const char *time_zone;
    const char *log_level;
    int64_t queue_max;
    int64_t batch_max;
    int64_t message_max_bytes;
    int64_t default_timeout_ms;
    int64_t connections_max;
    int64_t connections_per_address;
    int64_t receive_timeout_ms;
    int64_t receive_bytes_max;
    int64_t drain_grace_ms;
    int64_t reader_threads;
};

/* The table rows of these settings. `settings` is a struct service_settings; a NULL `default_database` makes
 * --database required. */
#define SERVICE_SETTINGS(settings, default_rpc_address, default_ops_address, default_database)               \
    {.name = "rpc-listen",                                                                                   \
     .type = SETTING_ADDRESS,                                                                                \
     .value = &(settings).rpc_listen,                                                                        \
     .default_value = (default_rpc_address),                                                                 \
     .help = "address on which calls are served"},                                                           \
        {.name = "gateway-listen",                                                                           \
         .type = SETTING_PRIVATE,                                                                            \
         .value = &(settings).gateway_listen,                                                                \
         .default_value = "",                                                                                \
         .help = "address for gateway-svc alone: each of its HTTP clients gets a share; empty = none"},      \
        {.name = "ops-listen",                                                                               \
         .type = SETTING_TEXT,                                                                               \
         .value = &(settings).ops_listen,                                                                    \
         .default_value = (default_ops_address),                                                             \
         .help = "HOST:PORT for /metrics, /livez and /readyz over HTTP; empty = none"},                      \
        {.name = "database",                                                                                 \
         .type = SETTING_DATABASE,                                                                           \
         .value = &(settings).database,                                                                      \
         .default_value = (default_database),                                                                \
         .help = "sqlite:PATH or postgresql://..."},                                                         \
        {.name = "time-zone",                                                                                \
         .type = SETTING_TEXT,                                                                               \
         .value = &(settings).time_zone,                                                                     \
         .default_value = "Asia/Seoul",                                                                      \
         .help = "the clinic's time zone: decides which day is today"},                                      \
        {.name = "log-level",                                                                                \
         .type = SETTING_TEXT,                                                                               \
         .value = &(settings).log_level,                                                                     \
         .default_value = "info",                                                                            \
         .help = "lowest level logged: debug, info, warn or error"},                                         \
        {.name = "queue-max",                                                                                \
         .type = SETTING_NUMBER,                                                                             \
         .value = &(settings).queue_max,                                                                     \
         .default_value = "4096",                                                                            \
         .min = 1,                                                                                           \
         .max = 1000000,                                                                                     \
         .help = "calls in hand at once; more are refused"},                                                 \
        {.name = "batch-max",                                                                                \
         .type = SETTING_NUMBER,                                                                             \
         .value = &(settings).batch_max,                                                                     \
         .default_value = "512",                                                                             \
         .min = 1,                                                                                           \
         .max = 10000,                                                                                       \
         .help = "commands in one transaction"},                                                             \
        {.name = "message-max-bytes",                                                                        \
         .type = SETTING_NUMBER,                                                                             \
         .value = &(settings).message_max_bytes,                                                             \
         .default_value = "1048576",                                                                         \
         .min = 262144,                                                                                      \
         .max = 67108864,                                                                                    \
         .help = "size of the largest message, in bytes"},                                                   \
        {.name = "default-timeout-ms",                                                                       \
         .type = SETTING_NUMBER,                                                                             \
         .value = &(settings).default_timeout_ms,                                                            \
         .default_value = "1000",                                                                            \
         .min = 1,                                                                                           \
         .max = 60000,                                                                                       \
         .help = "budget of calls that name none, in ms"},                                                   \
        {.name = "connections-max",                                                                          \
         .type = SETTING_NUMBER,                                                                             \
         .value = &(settings).connections_max,                                                               \
         .default_value = "4096",                                                                            \
         .min = 1,                                                                                           \
         .max = 1000000,                                                                                     \
         .help = "connections for calls and events at once; then silent ones end"},                          \
        {.name = "connections-per-address",                                                                  \
         .type = SETTING_NUMBER,                                                                             \
         .value = &(settings).connections_per_address,                                                       \
         .default_value = "1024",                                                                            \
         .min = 1,                                                                                           \
         .max = 1000000,                                                                                     \
         .help = "of these, connections from one address"},                                                  \
        {.name = "receive-timeout-ms",                                                                       \
         .type = SETTING_NUMBER,                                                                             \
         .value = &(settings).receive_timeout_ms,                                                            \
         .default_value = "10000",                                                                           \
         .min = 100,                                                                                         \
         .max = 600000,                                                                                      \
         .help = "longest time for a message to arrive, in ms"},                                             \
        {.name = "receive-bytes-max",                                                                        \
         .type = SETTING_NUMBER,                                                                             \
         .value = &(settings).receive_bytes_max,                                                             \
         .default_value = "67108864",                                                                        \
         .min = 1048576,                                                                                     \
         .max = 17179869184,                                                                                 \
         .help = "size of all unfinished messages together, in bytes"},                                      \
        {.name = "drain-grace-ms",                                                                           \
         .type = SETTING_NUMBER,                                                                             \
         .value = &(settings).drain_grace_ms,                                                                \
         .default_value = "10000",                                                                           \
         .min = 0,                                                                                           \
         .max = 600000,                                                                                      \
         .help = "how long a stop waits for the calls in hand, in ms"},                                      \
    {                                                                                                        \
        .name = "reader-threads", .type = SETTING_NUMBER, .value = &(settings).reader_threads,               \
        .default_value = "2", .min = 1, .max = 64, .help = "threads and connections that serve reads"        \
    }

#endif
