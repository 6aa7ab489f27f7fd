/* Starts and stops a service, and replays dead letters. app_listen.c has the listeners and their reports. */
#include "service/app.h"

#include <stdio.h>

#include "base/log.h"
#include "service/app_listen.h"

/* ---- start ---- */

/* Repeats the step until it succeeds. Returns false if a stop is requested first. */
static bool do_step(struct app *app, service_step_fn step, void *context)
{
    service_waiting_fn log_waiting = app->options->log_waiting;
    return service_do_step(app->options->program, step, context,
                           log_waiting != NULL ? log_waiting : service_log_waiting);
}

static bool open_database(struct app *app)
{
    const struct app_options *options = app->options;
    struct error error;
    if (security_check_database(&options->settings->security, options->settings->database, &error) !=
        STATUS_OK)
        service_config_error(options->program, &error);
    app->db = service_open_database(options->program, options->settings->database, options->prepare,
                                    options->service);
    return app->db != NULL;
}

static bool open_writer(struct app *app)
{
    if (!do_step(app, app->options->open_writer, app->options->service))
        return false;
    app->db = NULL; /* the writer has taken ownership */
    return true;
}

static enum status open_readers(void *context, struct error *error)
{
    struct app *app = context;
    const struct service_settings *settings = app->options->settings;
    const struct reader_options readers = {
        .threads = (size_t)settings->reader_threads,
        .queue_max = (size_t)settings->queue_max,
        .schema = app->options->schema,
    };
    return reader_pool_open(settings->database, &readers, &app->readers, error);
}

static enum status start_publisher(void *context, struct error *error)
{
    struct app *app = context;
    if (app->publisher == NULL)
        return STATUS_OK;
    return event_publisher_start(app->publisher, app->options->settings->database, error);
}

static enum status open_watch(void *context, struct error *error)
{
    struct app *app = context;
    return transport_watch_open(&app->watch, error);
}

static bool open_parts(struct app *app)
{
    const struct app_part *parts = app->options->parts;
    for (; parts[app->parts_open].open != NULL; app->parts_open++)
        if (!do_step(app, parts[app->parts_open].open, app->options->service))
            return false;
    return true;
}

static enum status check_peer(const struct security *security, const struct app_peer *peer,
                              struct error *error)
{
    if (peer->rpc_setting != NULL)
        TRY(security_check_callee(security, peer->rpc_setting, peer->rpc, error));
    if (peer->events_setting != NULL)
        TRY(security_check_followed(security, peer->events_setting, peer->events, error));
    return STATUS_OK;
}

/*
 * Opens everything. Returns false if a stop is requested first. The listeners come first, so that a start
 * that fails because a port is taken does not create a database.
 */
static bool start(struct app *app)
{
    struct error error;
    if (security_open(&app->options->settings->security, app->options->program, &app->security, &error) !=
        STATUS_OK)
        service_config_error(app->options->program, &error);
    for (size_t i = 0; i < APP_PEERS_MAX; i++)
        if (check_peer(app->security, &app->options->peers[i], &error) != STATUS_OK)
            service_config_error(app->options->program, &error);
    app_listen(app);
    return open_database(app) && open_writer(app) && do_step(app, open_readers, app) &&
           do_step(app, start_publisher, app) && open_parts(app) && do_step(app, open_watch, app);
}

/* Looks after what may change while the service runs. Returns whether nng is stuck. */
static bool look(void *context)
{
    struct app *app = context;
    security_look_after(app->security, service_take_hangup());
    return transport_watch_is_stuck(app->watch);
}

static void serve(struct app *app)
{
    app->options->connect(app->options->service);
    app->running = true;
    rpc_server_serve(app->server);
    log_plain(LOG_INFO, "service.ready");
}

enum status app_open_writer(struct app *app, const struct writer_ops *ops, struct error *error)
{
    const struct writer_options writer = {
        .batch_max = (size_t)app->options->settings->batch_max,
        .queue_max = (size_t)app->options->settings->queue_max,
    };
    enum status status = writer_open(app->db, &writer, ops, &app->writer, error);
    app->owns_writer = status == STATUS_OK;
    return status;
}

/* ---- stop ---- */

static void drain(struct app *app)
{
    if (app->publisher != NULL)
        event_publisher_drain(app->publisher);
    if (!rpc_server_drain(app->server, (uint32_t)app->options->settings->drain_grace_ms))
        log_plain(LOG_WARN, "service.drain_incomplete");
}

static void call(void (*step)(void *service), const struct app *app)
{
    if (step != NULL)
        step(app->options->service);
}

/*
 * Closes everything that is open, in the order given in app.h. Each producer of work ends before its
 * consumer.
 */
static void stop(struct app *app)
{
    const struct app_options *options = app->options;
    ops_close(app->ops);
    transport_watch_close(app->watch);
    for (size_t i = app->parts_open; i > 0; i--)
        call(options->parts[i - 1].stop, app);
    if (app->readers != NULL)
        reader_pool_close(app->readers);
    if (app->owns_writer)
        writer_close(app->writer);
    db_close(app->db);
    rpc_server_close(app->server);
    event_publisher_close(app->publisher);
    for (size_t i = app->parts_open; i > 0; i--)
        call(options->parts[i - 1].close, app);
    if (app->writer != NULL)
        options->close_writer(options->service);
    security_close(app->security);
}

/* ---- run ---- */

static int migrate(struct app *app)
{
    bool migrated = open_database(app);
    stop(app);
    if (!migrated)
        return SERVICE_EXIT_FAILED;
    puts("the schema is up to date");
    return 0;
}

int app_run(struct app *app, const struct app_options *options)
{
    app->options = options;
    if (options->settings->migrate)
        return migrate(app);
    if (start(app)) {
        serve(app);
        service_wait(look, app);
        drain(app);
    }
    stop(app);
    return 0;
}

int app_replay_dead_letters(struct app *app, const struct app_options *options)
{
    struct error error;
    size_t applied = 0, left = 0;
    app->options = options;
    if (!open_database(app) || !open_writer(app)) {
        stop(app);
        return SERVICE_EXIT_FAILED;
    }
    enum status status = dead_letters_replay(app->writer, options->settings->database, options->schema,
                                             &applied, &left, &error);
    stop(app);
    if (status != STATUS_OK) {
        log_say(options->program, error.message);
        return SERVICE_EXIT_FAILED;
    }
    printf("%zu dead letters applied, %zu left\n", applied, left);
    return left == 0 ? 0 : SERVICE_EXIT_FAILED;
}
