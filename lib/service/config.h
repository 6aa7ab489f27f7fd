/*
 * One table of all settings per program. Flag `--rpc-listen VALUE` or `--rpc-listen=VALUE`, environment
 * SCREENING_RPC_LISTEN, else the default; a flag beats the environment. `--help`, `--version` and `--print-config` are
 * on every program.
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
    SETTING_DATABASE, /* const char *: checked by db_url_check; shown without its password */
};

struct setting {
    const char *name; /* "rpc-listen" */
    enum setting_type type;
    void *value; /* where the result goes, of the type above; texts live as long as the process */
    const char *default_value; /* as text; NULL = must be given */
    int64_t min, max;
    const char *help; /* one line; units included */
    bool flag_only;   /* an action, not a setting: no environment variable, not in --print-config */
};

/*
 * Reads flags and environment into the table's values. `--help`, `--version`, `--print-config` print on stdout and
 * exit with 0. Anything wrong is one line on stderr ("hospital-svc: --queue-max: must be 1 to 1000000") and exit 2.
 * A word that is no flag is wrong too.
 */
void config_load(const char *program, const char *summary, const struct setting *settings, size_t count, int argc,
                 char **argv);

/* Logs the effective configuration in one line, without secrets. After log_open. */
void config_log(const struct setting *settings, size_t count);

/* The settings that every service has: append them to the table of your own. */
struct service_settings {
    const char *rpc_listen;
    const char *database;
    const char *time_zone;
    const char *log_level;
    int64_t queue_max;
    int64_t batch_max;
    int64_t message_max_bytes;
    int64_t default_timeout_ms;
    int64_t drain_grace_ms;
    int64_t reader_threads;
};

#endif
