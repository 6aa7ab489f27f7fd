/*
 * service_begin blocks SIGINT, SIGTERM and SIGHUP in every thread, and the main thread receives them with
 * sigtimedwait. Once a stop is requested, SIGTERM and SIGINT are unblocked in the main thread with a handler
 * that ends the process.
 */
#include "service/service.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/civil.h"
#include "base/clock.h"
#include "base/core_dump.h"
#include "base/log.h"
#include "base/repeat.h"
#include "db/url_safety.h"
#include "service/private_address.h"

enum { BACKOFF_FIRST_MS = 100, BACKOFF_MAX_MS = 2000, RETRY_MS = 200, LOOK_MS = 1000 };

/* How long to ask again when one of several hosts refuses. */
enum { HOST_REFUSES_MS = 10000 };

/* Whether a stop has been requested. Never reset. Main thread only. */
static bool stop_requested;
static bool hangup_requested;

/* The addresses at which this process listens. Main thread only. */
static const char *listeners[SERVICE_LISTENERS_MAX];
static size_t listener_count;

void service_listens_at(const char *address)
{
    if (listener_count < SERVICE_LISTENERS_MAX)
        listeners[listener_count++] = address;
}

void service_warn_if_open(const char *address)
{
    static const char tcp[] = "tcp://", local[] = "tcp://localhost:";
    if (strncmp(address, tcp, strlen(tcp)) == 0 && strncmp(address, local, strlen(local)) != 0 &&
        private_address_check(address, NULL) != STATUS_OK)
        log_event(LOG_WARN, "service.open_to_others", LOG_TEXT("address", address));
}

/* Removes the socket files, so that a failed start leaves none behind. */
static void remove_socket_files(void)
{
    static const char scheme[] = "ipc://";
    for (size_t i = 0; i < listener_count; i++)
        if (strncmp(listeners[i], scheme, strlen(scheme)) == 0)
            (void)unlink(listeners[i] + strlen(scheme)); /* the file may not exist */
}

_Noreturn void service_config_error(const char *program, const struct error *error)
{
    char line[ERROR_MESSAGE_SIZE];
    snprintf(line, sizeof line, "%s", error->message);
    for (char *c = line; *c != '\0'; c++)
        if (*c == '\n' || *c == '\r')
            *c = ' '; /* libpq's messages may have several lines */
    log_drop();
    log_say(program, line);
    remove_socket_files();
    exit(SERVICE_EXIT_CONFIG);
}

/* ---- begin ---- */

static void fill_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
}

static void block_signals(void)
{
    sigset_t set;
    fill_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* so that a write beyond the file size limit fails as on a full disk */
}

static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        log_event(LOG_WARN, "service.file_limit_unknown", LOG_INT("errno", errno));
        return;
    }
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        log_event(LOG_WARN, "service.file_limit_kept", LOG_INT("errno", errno));
        return;
    }
    log_event(LOG_INFO, "service.file_limit", LOG_INT("open_files", limit.rlim_cur));
}

void service_begin(const char *program, const char *log_level, const char *time_zone)
{
    struct error error;
    enum log_level level;
    block_signals();
    if (!log_level_parse(log_level, &level)) {
        error_invalid(&error, "--log-level: must be debug, info, warn or error");
        service_config_error(program, &error);
    }
    log_open(program, level);
    if (civil_zone_set(time_zone, &error) != STATUS_OK) {
        if (error.status == STATUS_INVALID_ARGUMENT)
            error_set(&error, error.status, NULL, "--time-zone: no zone file for %s", time_zone);
        service_config_error(program, &error);
    }
    log_hold();
    if (!core_dump_disable())
        log_event(LOG_WARN, "service.core_kept", LOG_INT("errno", errno));
    raise_file_limit();
}

/* ---- signals ---- */

static void end_now(int signal_number)
{
    (void)signal_number;
    _exit(SERVICE_EXIT_FAILED);
}

static void note_stop(int signal_number)
{
    stop_requested = true;
    log_event(LOG_INFO, "service.stopping",
              LOG_TEXT("signal", signal_number == SIGINT ? "SIGINT" : "SIGTERM"));
    struct sigaction action = {.sa_handler = end_now};
    sigset_t set;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* Waits up to `timeout_ms` for a signal. Returns false if none arrives. */
static bool take_signal(int timeout_ms)
{
    sigset_t set;
    fill_signals(&set);
    struct timespec timeout = {.tv_sec = timeout_ms / MS_PER_S,
                               .tv_nsec = (long)(timeout_ms % MS_PER_S) * NS_PER_MS};
    int taken = sigtimedwait(&set, NULL, &timeout);
    if (taken == SIGHUP)
        hangup_requested = true;
    else if (taken > 0)
        note_stop(taken);
    return taken > 0 || errno == EINTR;
}

bool service_stop_requested(int timeout_ms)
{
    int64_t deadline_ns = clock_monotonic_ns() + (int64_t)timeout_ms * NS_PER_MS;
    while (!stop_requested && take_signal(clock_remaining_ms(deadline_ns))) {
    }
    return stop_requested;
}

bool service_take_hangup(void)
{
    bool taken = hangup_requested;
    hangup_requested = false;
    return taken;
}

/* Like service_stop_requested, but also returns as soon as SIGHUP arrives. */
static bool wait_for_signal(int timeout_ms)
{
    int64_t deadline_ns = clock_monotonic_ns() + (int64_t)timeout_ms * NS_PER_MS;
    while (!stop_requested && !hangup_requested && take_signal(clock_remaining_ms(deadline_ns))) {
    }
    return stop_requested;
}

void service_wait(service_stuck_fn is_stuck, void *context)
{
    log_release();
    while (!wait_for_signal(LOOK_MS)) {
        if (is_stuck != NULL && is_stuck(context)) {
            log_plain(LOG_ERROR, "service.stuck");
            _exit(SERVICE_EXIT_STUCK);
        }
    }
}

/* ---- database ---- */

/* When to log that the start is waiting for a database. Main thread only. */
static struct repeat waiting;

/* When a refusal by one of several hosts is final; 0 = the last failure, if any, was another one. Main thread
 * only. */
static int64_t refused_until_ns;

void service_log_waiting(const struct error *error)
{
    if (error != NULL)
        log_event(LOG_WARN, "database.waiting", LOG_TEXT("error", error->message));
    else
        log_plain(LOG_INFO, "database.there");
}

/*
 * Returns whether the failure is final. What one of several hosts refuses is asked again for a while: a
 * standby may not have the database yet, or the hosts may be changing their roles.
 */
static bool is_final(const struct error *error)
{
    int64_t now_ns = clock_monotonic_ns();
    if (strcmp(error->reason, DB_HOST_REFUSES) != 0) {
        refused_until_ns = 0;
        return !db_may_heal(error);
    }
    if (refused_until_ns == 0)
        refused_until_ns = now_ns + (int64_t)HOST_REFUSES_MS * NS_PER_MS;
    return now_ns >= refused_until_ns;
}

static void must_heal(const char *program, const struct error *error, service_waiting_fn log_waiting)
{
    if (is_final(error))
        service_config_error(program, error);
    if (repeat_is_due(&waiting, clock_monotonic_ns()))
        log_waiting(error);
}

static void end_waiting(service_waiting_fn log_waiting)
{
    refused_until_ns = 0;
    if (repeat_end(&waiting))
        log_waiting(NULL);
}

static enum status open_and_prepare(const char *url, service_prepare_fn prepare, void *context,
                                    struct db **db, struct error *error)
{
    enum status status = db_open(url, DB_READ_WRITE, db, error);
    if (status == STATUS_OK && prepare != NULL) {
        status = prepare(context, *db, error);
        if (status != STATUS_OK)
            db_close(*db);
    }
    return status;
}

/* Ends the process if the URL names a file that cannot be used. */
static void must_have_passfile(const char *program, const char *url)
{
    struct error error;
    if (db_url_check_passfile(url, &error) != STATUS_OK)
        service_config_error(program, &error);
}

static void warn_of_url(const char *url)
{
    struct error error;
    if (db_url_has_password(url))
        log_event(LOG_WARN, "database.password_in_url", LOG_TEXT("setting", "database"));
    if (db_url_check_transport(url, &error) != STATUS_OK)
        log_event(LOG_WARN, "database.not_verified", LOG_TEXT("message", error.message));
}

struct db *service_open_database(const char *program, const char *url, service_prepare_fn prepare,
                                 void *context)
{
    struct db *db = NULL;
    struct error error;
    must_have_passfile(program, url);
    for (int backoff_ms = BACKOFF_FIRST_MS;;) {
        enum status status = open_and_prepare(url, prepare, context, &db, &error);
        if (status == STATUS_OK) {
            log_release();
            for (size_t i = 0; i < listener_count; i++)
                service_warn_if_open(listeners[i]);
            warn_of_url(url);
            end_waiting(service_log_waiting);
            return db;
        }
        must_heal(program, &error, service_log_waiting);
        if (service_stop_requested(backoff_ms))
            return NULL;
        backoff_ms = backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : backoff_ms * 2;
    }
}

bool service_do_step(const char *program, service_step_fn step, void *context, service_waiting_fn log_waiting)
{
    struct error error;
    while (step(context, &error) != STATUS_OK) {
        must_heal(program, &error, log_waiting);
        if (service_stop_requested(RETRY_MS))
            return false;
    }
    end_waiting(log_waiting);
    return true;
}

bool service_damage_degrades(char *reason, size_t size)
{
    if (!db_damage_seen())
        return false;
    (void)snprintf(reason, size, "the database is damaged: restore a backup");
    return true;
}
