/*
 * The framework for a service with a database. A service declares its parts. The framework starts them,
 * reports on them, and stops them:
 *
 *     start:  ops, RPC and events listeners -> database -> open_writer -> readers -> publisher
 *             -> parts -> transport watch -> SERVING
 *     stop:   drain -> ops -> transport watch -> parts in reverse (stop) -> readers -> writer
 *             -> listeners -> parts in reverse (close) -> close_writer
 *
 * An invalid configuration ends the process with exit code 2. A step that fails because the database is
 * unavailable is repeated. If a stop is requested in the meantime, the framework closes what is open and does
 * not drain, because the service has not yet accepted any requests. Main thread unless noted.
 */
#ifndef SCREENING_SERVICE_APP_H
#define SCREENING_SERVICE_APP_H

#include <protobuf-c/protobuf-c.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "db/db.h"
#include "events/follower.h"
#include "events/publisher.h"
#include "nng/stuck_reaper.h"
#include "rpc/server.h"
#include "service/config.h"
#include "service/log_metrics.h"
#include "service/ops.h"
#include "service/security.h"
#include "service/service.h"
#include "writer/reader.h"
#include "writer/writer.h"

enum { APP_PARTS_MAX = 8, APP_SERVICES_MAX = 3, APP_PEERS_MAX = 2 };

/* One part of a service. The argument of each function is app_options.service. */
struct app_part {
    /*
     * Opens the part. Called again after a failure that waiting can fix, so a failure must leave nothing
     * open.
     */
    enum status (*open)(void *service, struct error *error);
    /* Ends the part's work while the writer and the readers are still running. NULL = nothing to do. */
    void (*stop)(void *service);
    /* Frees the part once no call, no batch and no other thread can reach it. NULL = nothing to do. */
    void (*close)(void *service);
};

struct app_options {
    const char *program;
    const struct service_settings *settings;
    const char *topic;         /* topic of the log that the service publishes; NULL = it publishes none */
    const char *events_listen; /* ignored if `topic` is NULL */
    struct app_peer {
        const char *rpc_setting, *rpc;       /* a flag and its value; NULL = none */
        const char *events_setting, *events; /* NULL = none */
    } peers[APP_PEERS_MAX];                  /* what the service calls and follows */
    size_t queues; /* number of queues that the handlers fill, each with queue_max places */
    ProtobufCService *services[APP_SERVICES_MAX + 1]; /* in addition to EventLogService; ends with NULL */
    const char *schema; /* on PostgreSQL, the schema in which names are resolved; NULL = the default */
    service_prepare_fn prepare; /* prepares the database; its context is `service` */
    /*
     * Opens app.writer, usually with app_open_writer. The writer takes ownership of app.db. Fails like
     * app_part.open.
     */
    enum status (*open_writer)(void *service, struct error *error);
    /* Frees what the writer used. Also closes a writer that the framework does not own. */
    void (*close_writer)(void *service);
    const char *log_labels[LOG_METRICS_MAX];  /* labels for the metrics of app.followed, see log_metrics.h */
    struct app_part parts[APP_PARTS_MAX + 1]; /* in start order; ends with a part whose `open` is NULL */
    void (*connect)(void *service); /* gives the handlers access to the open parts; called before the first
                                     * request */
    /*
     * Writes up to `max` reasons why the service is degraded, in addition to a damaged database and degraded
     * logs, which the framework itself reports. Returns their number. NULL = none. Any thread.
     */
    size_t (*degraded)(void *service, char reasons[][RPC_DEGRADED_TEXT_SIZE], size_t max);
    service_waiting_fn log_waiting; /* for steps after the database is open; NULL = service_log_waiting */
    void *service;
};

/* The open parts. All zero before app_run. */
struct app {
    const struct app_options *options;
    struct security *security; /* open from the start of app_run to its end */
    struct ops_server *ops;
    struct rpc_server *server;
    struct event_publisher *publisher; /* NULL if the service publishes no log */
    struct db *db;                     /* NULL once the writer owns it */
    struct writer *writer;
    bool owns_writer; /* whether app_open_writer started the writer */
    struct reader_pool *readers;
    struct event_follower *followed[LOG_METRICS_MAX]; /* set by the parts; NULL = the log is not followed */
    size_t parts_open;
    struct transport_watch *watch;
    atomic_bool running; /* whether everything above is open, so that Health, Stats and /metrics may use it */
};

/*
 * Runs the service until it is asked to stop, or with --migrate only prepares the database. Returns the exit
 * code for main. Call this after service_begin.
 */
int app_run(struct app *app, const struct app_options *options);

/*
 * Opens only the database and the writer, tries to apply the dead letters again, and prints how many were
 * applied and how many are left. Returns the exit code for main: 0 if none are left, SERVICE_EXIT_FAILED
 * otherwise or if a stop is requested first.
 */
int app_replay_dead_letters(struct app *app, const struct app_options *options);

/*
 * Starts the writer with the configured sizes. Call this from open_writer. The framework closes the writer.
 * Fails like writer_open.
 */
MUST_CHECK enum status app_open_writer(struct app *app, const struct writer_ops *ops, struct error *error);

#endif
