/*
 * What every service does alike, so that each main() reads as a list:
 *
 *     config_load, service_begin, [listen: rpc_server_open, event_publisher_open], service_open_database,
 * migrations, writer, readers, channels, subscribers, rpc_server_serve, service_wait, drain, close in reverse
 * order
 *
 * All of it from the main thread.
 */
#ifndef SCREENING_SERVICE_SERVICE_H
#define SCREENING_SERVICE_SERVICE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "db/db.h"

/* Exit codes: 0 = done, 1 = failed at run time, 2 = wrong configuration. */
enum { SERVICE_EXIT_FAILED = 1, SERVICE_EXIT_CONFIG = 2 };

/*
 * First thing in main, before any thread or nng call: blocks SIGINT, SIGTERM, SIGHUP for all threads, ignores
 * SIGPIPE and SIGXFSZ, opens the log, sets the clinic's time zone, raises RLIMIT_NOFILE to the hard limit and
 * logs it. A wrong time zone or log level: one line on stderr, exit 2. Lines below warn are held back until
 * the database was opened or is waited for, or service_wait: a wrong configuration is one line and no more.
 */
void service_begin(const char *program, const char *log_level, const char *time_zone);

/*
 * Tells that this process listens at `address`, which must stay: if the start then ends with
 * service_config_error, the socket file of an ipc:// address goes too. At most SERVICE_LISTENERS_MAX.
 */
enum { SERVICE_LISTENERS_MAX = 4 };
void service_listens_at(const char *address);

/*
 * A warning in the log if other machines reach `address`, a tcp:// one: nobody is asked who he is. Those of
 * service_listens_at are looked at once the database is open.
 */
void service_warn_if_open(const char *address);

/* One line "PROGRAM: message" on stderr and exit 2. */
_Noreturn void service_config_error(const char *program, const struct error *error);

/* Makes a database ready that has just been opened: its migrations above all. */
typedef enum status (*service_prepare_fn)(void *context, struct db *db, struct error *error);

/* Why a service is not ready that still waits for its database. */
#define SERVICE_STARTING "starting: the database is not there yet, or is being prepared"

/*
 * Opens the database and prepares it (`prepare` may be NULL), trying both again with backoff (100 ms to 2 s)
 * while waiting can heal the failure, which is logged at first and once a minute; any other, also a damaged
 * database: service_config_error. Returns NULL
 * if a signal asks to stop meanwhile.
 */
struct db *service_open_database(const char *program, const char *url, service_prepare_fn prepare,
                                 void *context);

/* Whether the database was found damaged since the start; then writes the reason for which the service is
 * degraded. Any thread. */
bool service_damage_degrades(char *reason, size_t size);

/*
 * For what opens a database connection of its own: true, after a pause, if it is to be tried again because
 * the database went away meanwhile, which is logged at first and once a minute. Any other failure:
 * service_config_error; asked to stop meanwhile: exit 0.
 */
bool service_must_try_again(const char *program, enum status status, const struct error *error);

/* True: this process can't go on and must be started anew. Main thread, about once a second. */
typedef bool (*service_stuck_fn)(void *context);

/*
 * Waits for SIGTERM or SIGINT (SIGHUP is ignored with a log line), then returns; from then on a second one
 * ends the process at once with exit code 1. If meanwhile `is_stuck` (may be NULL) becomes true, the process
 * is started anew in its place: same program, same arguments, same pid; what is in hand is lost as in a
 * crash, and recovered like it.
 */
void service_wait(char **argv, service_stuck_fn is_stuck, void *context);

/* Waits like service_wait, at most `timeout_ms`; true if asked to stop. For start-up loops. */
bool service_stop_requested(int timeout_ms);

#endif
