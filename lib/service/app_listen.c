/* Opens the listeners of a service and reports its state on them. Callbacks run on the listeners' threads. */
#include "service/app_listen.h"

#include "service/connection_limits.h"
#include "service/database_metric.h"

/*
 * The maximum number of requests in flight in addition to those in the queues: requests being refused, and
 * long polls.
 */
enum { CONTEXTS_SPARE = 512 };
enum { FETCH_MAX = 1024 * 1024, FETCH_HEADER_MAX = 4096 /* size of everything except the events */ };

/* ---- reports ---- */

/* Returns why the service is not ready, for Health and Introspection, or NULL if it is ready. */
static const char *find_trouble(void *context)
{
    struct app *app = context;
    return app->running ? writer_database_trouble(app->writer) : SERVICE_STARTING;
}

/* Returns why the service is not ready, for /readyz, or NULL if it is ready. */
static const char *why_not_ready(void *context)
{
    struct app *app = context;
    return app->running ? rpc_server_not_ready(app->server) : SERVICE_STARTING;
}

static size_t list_degraded(void *context, char reasons[RPC_DEGRADED_MAX][RPC_DEGRADED_TEXT_SIZE])
{
    struct app *app = context;
    const struct app_options *options = app->options;
    size_t count = 0;
    if (!app->running)
        return 0;
    count += service_damage_degrades(reasons[count], RPC_DEGRADED_TEXT_SIZE);
    count += security_degrades(app->security, reasons + count);
    for (size_t i = 0; i < LOG_METRICS_MAX; i++)
        if (app->followed[i] != NULL)
            count += event_follower_degraded(app->followed[i], reasons[count], RPC_DEGRADED_TEXT_SIZE);
    if (options->degraded != NULL)
        count += options->degraded(options->service, reasons + count, RPC_DEGRADED_MAX - count);
    return count;
}

static void refresh_metrics(void *context)
{
    struct app *app = context;
    if (!app->running)
        return;
    for (size_t i = 0; i < LOG_METRICS_MAX; i++)
        if (app->followed[i] != NULL)
            log_metrics_refresh(i, app->options->log_labels[i], app->followed[i]);
    database_metric_refresh(app->readers);
}

/* ---- listeners ---- */

static enum status open_ops(struct app *app, struct error *error)
{
    const struct ops_options ops = {
        .listen = app->options->settings->ops_listen,
        .not_ready = why_not_ready,
        .refresh = refresh_metrics,
        .context = app,
    };
    return ops_open(&ops, &app->ops, error);
}

static enum status open_server(struct app *app, struct error *error)
{
    const struct service_settings *settings = app->options->settings;
    const struct rpc_server_options rpc = {
        .address = settings->rpc_listen,
        .gateway_address = settings->gateway_listen,
        .client_address = settings->client_listen,
        .access = security_access(app->security),
        .program = app->options->program,
        .contexts = app->options->queues * (size_t)settings->queue_max + CONTEXTS_SPARE,
        .message_max_bytes = (size_t)settings->message_max_bytes,
        .default_timeout_ms = (uint32_t)settings->default_timeout_ms,
    };
    TRY(rpc_server_open(&rpc, &app->server, error));
    service_listens_at(rpc.address);
    service_listens_at(rpc.gateway_address);
    service_listens_at(rpc.client_address);
    return STATUS_OK;
}

/*
 * Returns the size limit for the events in a Fetch response. The whole response must not exceed 1 MiB or the
 * maximum message size.
 */
static size_t fetch_max_bytes(const struct service_settings *settings)
{
    int64_t max_bytes = settings->message_max_bytes < FETCH_MAX ? settings->message_max_bytes : FETCH_MAX;
    return (size_t)max_bytes - FETCH_HEADER_MAX;
}

static enum status open_publisher(struct app *app, struct error *error)
{
    const struct event_publisher_options events = {
        .topic = app->options->topic,
        .fetch_max_bytes = fetch_max_bytes(app->options->settings),
        .address = app->options->events_listen,
    };
    if (events.topic == NULL)
        return STATUS_OK;
    TRY(event_publisher_open(&events, &app->publisher, error));
    service_listens_at(events.address);
    return STATUS_OK;
}

static enum status start_server(struct app *app, struct error *error)
{
    for (ProtobufCService *const *service = app->options->services; *service != NULL; service++)
        rpc_server_add(app->server, *service);
    if (app->publisher != NULL)
        rpc_server_add(app->server, event_publisher_service(app->publisher));
    rpc_server_observe(app->server, find_trouble, list_degraded, app);
    return rpc_server_start(app->server, error);
}

/* Checks that no listener is open to other machines. */
static enum status check_listeners(const struct app *app, struct error *error)
{
    const struct service_settings *settings = app->options->settings;
    TRY(security_check_listener(app->security, "rpc-listen", settings->rpc_listen, error));
    TRY(security_check_listener(app->security, "client-listen", settings->client_listen, error));
    if (app->options->topic != NULL)
        TRY(security_check_events(app->security, "events-listen", app->options->events_listen, error));
    return security_check_port(app->security, "ops-listen", settings->ops_listen, error);
}

void app_listen(struct app *app)
{
    struct error error;
    enum status status = check_listeners(app, &error);
    if (status == STATUS_OK)
        status = service_limit_connections(app->options->settings, &error);
    if (status == STATUS_OK)
        status = open_ops(app, &error);
    if (status == STATUS_OK)
        status = open_server(app, &error);
    if (status == STATUS_OK)
        status = open_publisher(app, &error);
    if (status == STATUS_OK)
        status = start_server(app, &error);
    if (status != STATUS_OK)
        service_config_error(app->options->program, &error);
}
