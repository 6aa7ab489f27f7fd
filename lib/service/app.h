/*
 * The frame of a service with a database. A service declares its parts. The frame starts them, reports on
 * them, and stops them:
 *
 *     start:  ops, RPC and events listeners -> database -> open_writer -> readers -> publisher
 *             -> parts -> transport watch -> SERVING
 *     stop:   drain -> ops -> transport watch -> parts in reverse (stop) -> readers -> writer
 *             -> listeners -> parts in reverse (close) -> close_writer
 *
 * A wrong configuration ends the process with exit code 2. A step that fails because the database is
 * unavailable is repeated. If a stop is requested in the meantime, the frame closes what is open and does not
 * drain, because nothing was served yet. Main thread unless noted.
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
#include "service/service.h"
#include "writer/reader.h"
#include "writer/writer.h"

enum { APP_PARTS_MAX = 8, APP_SERVICES_MAX = 3 };

/* One part of a service. `service` is the one of the options. */
struct app_part {
    /*
     * Opens the part. Is called again after a failure that waiting can fix, so a failure must leave nothing
     * open.
     */
    enum status (*open)(void *service, struct error *error);
    /* Ends the part's work while the writer and the readers still run. NULL = nothing to do. */
    void (*stop)(void *service);
    /* Frees the part once no call, no batch and no other thread can reach it. NULL = nothing to do. */
    void (*close)(void *service);
};

struct app_options {
    const char *program;
    const struct service_settings *settings;
    const char *topic;         /* of the log that the service publishes; NULL = it publishes none */
    const char *events_listen; /* ignored if topic is NULL */
    size_t queues;             /* number of queues of queue_max places that the handlers fill */
    ProtobufCService *services[APP_SERVICES_MAX + 1]; /* served besides EventLogService; ends with NULL */
    const char *schema;         /* the schema that names resolve to on PostgreSQL; NULL = the default */
    service_prepare_fn prepare; /* prepares the database; its context is `service` */
    /* Sets app.writer and gives it app.db, mostly by app_open_writer. Fails like app_part.open. */
    enum status (*open_writer)(void *service, struct error *error);
    void (*close_writer)(void *service); /* frees everything that the writer used; also closes a writer that
                                            the frame does not own */
    const char *log_labels[LOG_METRICS_MAX];  /* labels of the metrics of app.followed, see log_metrics.h */
    struct app_part parts[APP_PARTS_MAX + 1]; /* in start order; ends with an `open` of NULL */
    void (*connect)(void *service); /* gives the handlers access to the open parts; called before the first
                                     * request */
    /*
     * Writes up to `max` reasons why the service is degraded, besides damage and the logs it follows. Returns
     * their number. NULL = none. Any thread.
     */
    size_t (*degraded)(void *service, char reasons[][RPC_DEGRADED_TEXT_SIZE], size_t max);
    service_waiting_fn log_waiting; /* for steps after the database is open; NULL = service_log_waiting */
    void *service;
};

/* The open parts. All zero before app_run. */
struct app {
    const struct app_options *options;
    struct ops_server *ops;
    struct rpc_server *server;
    struct event_publisher *publisher; /* NULL if the service publishes no log */
    struct db *db;                     /* until the writer takes it over */
    struct writer *writer;
    bool owns_writer; /* whether app_open_writer started the writer */
    struct reader_pool *readers;
    struct event_follower *followed[LOG_METRICS_MAX]; /* set by parts; NULL = the log is not followed */
    size_t parts_open;
    struct transport_watch *watch;
    atomic_bool running; /* whether everything above is open, so that Health, Stats and /metrics may use it */
};

/* Runs the service until it is asked to stop. Returns the exit code of main. Call it after service_begin. */
int app_run(struct app *app, const struct app_options *options);

/*
 * Opens the database and the writer only, applies the dead letters again and prints their number. Returns the
 * exit code of main, which is 0 if none are left, and SERVICE_EXIT_FAILED otherwise or if asked to stop.
 */
int app_replay_dead_letters(struct app *app, const struct app_options *options);

/* Starts the writer as configured, for open_writer. The frame closes it. Fails like writer_open. */
MUST_CHECK enum status app_open_writer(struct app *app, const struct writer_ops *ops, struct error *error);

#endif
