/*
 * The parts that all serving programs share: signals, exit codes, and a start that waits for the database.
 * app.h builds a whole service on them. Main thread unless noted.
 */
#ifndef SCREENING_SERVICE_SERVICE_H
#define SCREENING_SERVICE_SERVICE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "db/db.h"

/*
 * Exit codes: 0 = success, 1 = failure at run time, 2 = invalid configuration, 3 = stuck, so the process must
 * be restarted.
 */
enum { SERVICE_EXIT_FAILED = 1, SERVICE_EXIT_CONFIG = 2, SERVICE_EXIT_STUCK = 3 };

/*
 * Call this first in main, before starting any thread and before any nng call. Blocks SIGINT, SIGTERM and
 * SIGHUP in all threads, ignores SIGPIPE and SIGXFSZ, opens the log, sets the clinic's time zone, raises
 * RLIMIT_NOFILE to the hard limit and logs it, and forbids core dumps. If the time zone or the log level is
 * invalid, prints one line on stderr and exits with 2. Log lines below warn are held back until the first
 * line at warn or above, until the database is open, or until service_wait, so that an invalid configuration
 * prints only one line.
 */
void service_begin(const char *program, const char *log_level, const char *time_zone);

/*
 * Records that this process listens at `address`, which must stay valid. If the start fails with
 * service_config_error later, the socket file of an ipc:// address is removed. At most SERVICE_LISTENERS_MAX
 * addresses.
 */
enum { SERVICE_LISTENERS_MAX = 4 };
void service_listens_at(const char *address);

/*
 * Logs a warning if other machines can reach the tcp:// address `address`, because clients are not
 * authenticated. The addresses passed to service_listens_at are checked once the database is open.
 */
void service_warn_if_open(const char *address);

/* Prints one line "PROGRAM: message" on stderr and exits with 2. */
_Noreturn void service_config_error(const char *program, const struct error *error);

/* Prepares a database that has just been opened, mainly by running its migrations. */
typedef enum status (*service_prepare_fn)(void *context, struct db *db, struct error *error);

/* The reason why a service is not ready while it is waiting for its database. */
#define SERVICE_STARTING "starting: the database is not there yet, or is being prepared"

/*
 * Opens and prepares the database (`prepare` may be NULL). Retries both with backoff (100 ms to 2 s) while
 * waiting can fix the failure, and logs the failure immediately and then once a minute. Any other failure,
 * including a damaged database and a passfile in the URL that others can read, ends in service_config_error.
 * Returns NULL if a signal requests a stop in the meantime. Warns once of a URL that gives something away
 * (db/url_safety.h).
 */
struct db *service_open_database(const char *program, const char *url, service_prepare_fn prepare,
                                 void *context);

/*
 * Returns whether the database has been found damaged since the start. If so, also writes the reason why the
 * service is degraded to `reason`. Any thread.
 */
bool service_damage_degrades(char *reason, size_t size);

/*
 * Logs that the start is waiting because of `error`; called immediately and then once a minute. If `error` is
 * NULL, logs that the wait is over. service_log_waiting logs database.waiting and database.there.
 */
typedef void (*service_waiting_fn)(const struct error *error);
void service_log_waiting(const struct error *error);

/* Performs a step of the start. A failure must leave nothing open. */
typedef enum status (*service_step_fn)(void *context, struct error *error);

/*
 * Performs the step, and repeats it every 200 ms while waiting can fix its failure. Any other failure ends in
 * service_config_error. Returns false if a signal requests a stop in the meantime.
 */
bool service_do_step(const char *program, service_step_fn step, void *context,
                     service_waiting_fn log_waiting);

/*
 * Returns whether SIGHUP has arrived since the last call. Call it from the function given to service_wait,
 * which would otherwise call that function without a pause.
 */
bool service_take_hangup(void);

/* Returns true if this process cannot continue. Called on the main thread, about once a second. */
typedef bool (*service_stuck_fn)(void *context);

/*
 * Waits for SIGTERM or SIGINT, then returns. SIGHUP makes it call `is_stuck` at once. After the return, a
 * second signal ends the process immediately with exit code 1. If `is_stuck` (may be NULL) returns true
 * during the wait, the process ends immediately with SERVICE_EXIT_STUCK, so that its supervisor restarts it.
 * Requests in flight are then lost as in a crash, and recovered in the same way.
 */
void service_wait(service_stuck_fn is_stuck, void *context);

/*
 * Waits like service_wait, for at most `timeout_ms`. Returns whether a stop has been requested. Use this in
 * loops during the start.
 */
bool service_stop_requested(int timeout_ms);

#endif
