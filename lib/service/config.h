/*
 * Each program has one table of its settings. A setting takes its value from the flag `--rpc-listen VALUE` or
 * `--rpc-listen=VALUE`, otherwise from the environment variable SCREENING_RPC_LISTEN, otherwise from its
 * default. If a flag is given more than once, the last one wins. An empty environment variable counts as
 * unset. Every program also accepts `--help`, `--version` and `--print-config`.
 */
#ifndef SCREENING_SERVICE_CONFIG_H
#define SCREENING_SERVICE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum setting_type {
    SETTING_TEXT,      /* const char * */
    SETTING_NUMBER,    /* int64_t, from min to max */
    SETTING_SWITCH,    /* bool: --name, --name=true|false; environment true|false */
    SETTING_ADDRESS,   /* const char *: tcp://HOST:PORT or ipc://PATH, or empty if that is the default */
    SETTING_ADDRESSES, /* const char *: one or several of these, separated by commas (base/address_list.h) */
    SETTING_PRIVATE,   /* const char *: like SETTING_ADDRESS, restricted by private_address.h, or empty */
    SETTING_DATABASE,  /* const char *: checked by db_url_check; shown without its password */
};

struct setting {
    const char *name;          /* "rpc-listen" */
    void *value;               /* receives the value; texts live as long as the process */
    const char *default_value; /* as text; NULL = required */
    int64_t min, max;
    const char *help; /* one line, with units */
    enum setting_type type;
    bool flag_only; /* an action instead of a setting: no environment variable, not in --print-config */
};

/*
 * Reads flags and environment into the table's values. `--help`, `--version` and `--print-config` print on
 * stdout and exit with 0. On any error, including a word that is not a flag, prints one line on stderr
 * ("hospital-svc: --queue-max: must be 1 to 1000000") and exits with 2.
 */
void config_load(const char *program, const char *summary, const struct setting *settings, size_t count,
                 int argc, char **argv);

/*
 * Exits as config_load does on an error, unless `text`, the value of the flag `name`, is empty or equal to
 * `allowed`. The message is, for example, "--follow-log-from-start: must be booking".
 */
void config_must_be(const char *program, const char *name, const char *text, const char *allowed);

/* Logs the effective configuration in one line, without secrets. Call this after log_open. */
void config_log(const struct setting *settings, size_t count);

/* Of security.h. */
struct security_settings {
    /* Path of issuers.json. Empty = every caller is trusted, if `insecure`. NULL = nobody calls the program.
     */
    const char *issuers;
    const char *token_key; /* path of the program's private key; empty = it shows no token */
    int64_t changes_per_s, changes_burst, reads_per_s, reads_burst; /* limits for each person */
    bool public_catalogue; /* whether hospitals and availability need no token */
    bool insecure;         /* whether the program may start without issuers and at open addresses */
};

/* The settings shared by all services. Each service appends them to its own table. */
struct service_settings {
    const char *rpc_listen;
    const char *gateway_listen; /* empty = none */
    const char *client_listen;  /* empty = none */
    struct security_settings security;
    const char *ops_listen; /* empty = none */
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
    bool migrate;
};

// clang-format off
/*
 * Each of these macros is one row of a table of settings. `target` receives the value. ACTION is a flag that
 * starts an action, and ACTION_ON is such a flag with a value.
 */
#define TEXT(setting, target, start, text) {.name = (setting), .type = SETTING_TEXT, .value = &(target), .default_value = (start), .help = (text)}
#define ADDRESS(setting, target, start, text) {.name = (setting), .type = SETTING_ADDRESS, .value = &(target), .default_value = (start), .help = (text)}
#define ADDRESSES(setting, target, start, text) {.name = (setting), .type = SETTING_ADDRESSES, .value = &(target), .default_value = (start), .help = (text)}
#define NUMBER(setting, target, start, least, most, text) \
    {.name = (setting), .type = SETTING_NUMBER, .value = &(target), .default_value = (start), .min = (least), .max = (most), .help = (text)}
#define SWITCH(setting, target, text) \
    {.name = (setting), .type = SETTING_SWITCH, .value = &(target), .default_value = "false", .help = (text)}
#define ACTION(setting, target, text) \
    {.name = (setting), .type = SETTING_SWITCH, .value = &(target), .default_value = "false", .help = (text), .flag_only = true}
#define ACTION_ON(setting, target, text) \
    {.name = (setting), .type = SETTING_TEXT, .value = &(target), .default_value = "", .help = (text), .flag_only = true}

/* The rows for struct security_settings. */
#define SECURITY_SETTINGS(settings) \
    TEXT("issuers", (settings).issuers, "", "file that lists who issues tokens (issuers.json); empty = none"), \
    TEXT("token-key", (settings).token_key, "", "file with the private key that signs this program's own tokens; empty = none"), \
    SWITCH("insecure", (settings).insecure, "may start without --issuers, then trusts every caller, and at addresses that other machines reach; warns once a minute")

/* The rows for the limits in struct security_settings. */
#define CALLER_SETTINGS(settings) \
    NUMBER("changes-per-s", (settings).changes_per_s, "10", 1, 1000000, "calls per second by which each person may change something"), \
    NUMBER("changes-burst", (settings).changes_burst, "50", 1, 1000000, "the same, at once after a pause"), \
    NUMBER("reads-per-s", (settings).reads_per_s, "100", 1, 1000000, "calls per second by which each person may read"), \
    NUMBER("reads-burst", (settings).reads_burst, "500", 1, 1000000, "the same, at once after a pause")

/* The rows for struct service_settings. If `default_database` is NULL, --database is required. */
#define SERVICE_SETTINGS(settings, default_rpc_address, default_ops_address, default_database) \
    ADDRESS("rpc-listen", (settings).rpc_listen, default_rpc_address, "address on which calls are served"), \
    {.name = "gateway-listen", .type = SETTING_PRIVATE, .value = &(settings).gateway_listen, .default_value = "", .help = "address for gateway-svc only, with a share for each of its HTTP clients; empty = none"}, \
    ADDRESS("client-listen", (settings).client_listen, "", "address for clients that are no services: screenctl and other programs with a token; empty = none"), \
    SECURITY_SETTINGS((settings).security), \
    CALLER_SETTINGS((settings).security), \
    TEXT("ops-listen", (settings).ops_listen, default_ops_address, "HOST:PORT or unix:PATH for /metrics, /livez and /readyz over HTTP; empty = none"), \
    {.name = "database", .type = SETTING_DATABASE, .value = &(settings).database, .default_value = (default_database), .help = "sqlite:PATH or postgresql://..."}, \
    TEXT("time-zone", (settings).time_zone, "Asia/Seoul", "the clinic's time zone: decides which day is today"), \
    TEXT("log-level", (settings).log_level, "info", "lowest level logged: debug, info, warn or error"), \
    NUMBER("queue-max", (settings).queue_max, "4096", 1, 1000000, "calls in flight at once; more are refused"), \
    NUMBER("batch-max", (settings).batch_max, "512", 1, 10000, "commands in one transaction"), \
    NUMBER("message-max-bytes", (settings).message_max_bytes, "1048576", 262144, 67108864, "size of the largest message, in bytes"), \
    NUMBER("default-timeout-ms", (settings).default_timeout_ms, "1000", 1, 60000, "budget of calls that give none, in ms"), \
    NUMBER("connections-max", (settings).connections_max, "4096", 1, 1000000, "connections for calls and events at once; beyond that, silent ones are closed"), \
    NUMBER("connections-per-address", (settings).connections_per_address, "1024", 1, 1000000, "of these, connections from one address"), \
    NUMBER("receive-timeout-ms", (settings).receive_timeout_ms, "10000", 100, 600000, "longest time for a message to arrive, in ms"), \
    NUMBER("receive-bytes-max", (settings).receive_bytes_max, "67108864", 1048576, 17179869184, "size of all unfinished messages together, in bytes"), \
    NUMBER("drain-grace-ms", (settings).drain_grace_ms, "10000", 0, 600000, "longest wait for the calls in flight when the service stops, in ms"), \
    NUMBER("reader-threads", (settings).reader_threads, "2", 1, 64, "threads and connections that serve reads"), \
    ACTION("migrate", (settings).migrate, "create or update the tables, and exit")
// clang-format on

#endif
