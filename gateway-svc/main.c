/* gateway-svc gives clients access to the services over HTTP. It is stateless. */
#include "api.h"
#include "cors.h"
#include "grpc.h"
#include "grpc_streams.h"
#include "http.h"
#include "live.h"
#include "settings.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/standard_files.h"
#include "nng/stuck_reaper.h"
#include "service/ops.h"
#include "service/service.h"

extern const char gateway_descriptor_set[];
extern const size_t gateway_descriptor_set_size;

/* The settings and the parts of the gateway. */
struct gateway_service {
    struct settings settings;
    bool said_ready;
    struct security *security;
    struct gateway gateway;
    struct ops_server *ops;
    struct http_server *http;
    struct transport_watch *watch;
};

/* If `status` is not OK, prints one line and exits with code 2. */
static void must(enum status status, const struct error *error)
{
    if (status != STATUS_OK)
        service_config_error(GATEWAY_PROGRAM, error);
}

/* Returns why the gateway is not ready, or NULL if it is. Any thread. */
static const char *not_ready(void *context)
{
    const struct gateway_service *service = context;
    struct backend *backend = service->gateway.backend;
    if (!rpc_channel_connected(backend_channel(backend, BACKEND_HOSPITAL)))
        return "not connected to hospital-svc";
    if (!rpc_channel_connected(backend_channel(backend, BACKEND_BOOKING)))
        return "not connected to booking-svc";
    if (!live_begun(service->gateway.live))
        return "not following the logs";
    return NULL; /* bookings work without history-svc */
}

/* Logs service.ready when the gateway is ready for the first time. */
static void say_ready(struct gateway_service *service)
{
    if (!service->said_ready && not_ready(service) == NULL) {
        service->said_ready = true;
        log_plain(LOG_INFO, "service.ready");
    }
}

/*
 * Waits up to a second for the services. If they are still unavailable, is_stuck continues to check every
 * second.
 */
static void wait_for_services(struct gateway_service *service)
{
    enum { LOOKS = 50, LOOK_MS = 20, WHY_SIZE = 64, ADDRESS_SIZE = 300 };
    char address[ADDRESS_SIZE];
    log_release();
    snprintf(address, sizeof address, "tcp://%s", service->settings.http_listen);
    if (strncmp(service->settings.http_listen, "unix:", strlen("unix:")) != 0)
        service_warn_if_open(address);
    for (int i = 0; i < LOOKS && !service->said_ready && !service_stop_requested(LOOK_MS); i++)
        say_ready(service);
    const char *why = service->said_ready ? NULL : not_ready(service);
    if (why != NULL) {
        char text[WHY_SIZE];
        snprintf(text, sizeof text, "%.*s", (int)strcspn(why, "\n"), why);
        log_event(LOG_INFO, "service.waiting", LOG_TEXT("why", text));
    }
}

/* Returns whether nng is stuck. Also updates the streams of gRPC. */
static bool is_stuck(void *context)
{
    struct gateway_service *service = context;
    security_look_after(service->security, service_take_hangup());
    say_ready(service);
    grpc_streams_look(service->gateway.grpc_streams, not_ready(service) == NULL);
    return transport_watch_is_stuck(service->watch);
}

static void refresh(void *context)
{
    (void)context; /* all metrics are updated continuously */
}

static enum status check_peers(const struct settings *settings, const struct security *security,
                               struct error *error)
{
    TRY(security_check_callee(security, "hospital-rpc", settings->rpc[BACKEND_HOSPITAL], error));
    TRY(security_check_callee(security, "booking-rpc", settings->rpc[BACKEND_BOOKING], error));
    TRY(security_check_callee(security, "history-rpc", settings->rpc[BACKEND_HISTORY], error));
    TRY(security_check_followed(security, "hospital-events", settings->hospital_events, error));
    return security_check_followed(security, "booking-events", settings->booking_events, error);
}

static void open_all(struct gateway_service *service)
{
    const struct settings *settings = &service->settings;
    struct error error;
    must(cors_check(settings->cors_origin, &error), &error);
    must(grpc_check_rules(gateway_descriptor_set, gateway_descriptor_set_size, &error), &error);
    must(security_open(&settings->security, GATEWAY_PROGRAM, &service->security, &error), &error);
    must(security_check_port(service->security, "http-listen", settings->http_listen, &error), &error);
    must(security_check_port(service->security, "ops-listen", settings->ops_listen, &error), &error);
    must(check_peers(settings, service->security, &error), &error);
    const struct backend_options backend = {
        .security = service->security,
        .addresses = {settings->rpc[BACKEND_HOSPITAL], settings->rpc[BACKEND_BOOKING],
                      settings->rpc[BACKEND_HISTORY]},
        .message_max_bytes = (size_t)settings->message_max_bytes,
    };
    service->gateway.security = service->security;
    must(backend_open(&backend, &service->gateway.backend, &error), &error);
    const struct live_options live = {
        .booking_events = settings->booking_events,
        .hospital_events = settings->hospital_events,
        .backend = service->gateway.backend,
        .listeners_max = (size_t)settings->listeners_max,
        .security = service->security,
        .public_catalogue = settings->security.public_catalogue,
    };
    must(live_open(&live, &service->gateway.live, &error), &error);
    must(grpc_streams_open(service->gateway.backend, &service->gateway.grpc_streams, &error), &error);
    service->gateway.default_timeout_ms = (uint32_t)settings->default_timeout_ms;
    service->gateway.timeout_max_ms = (uint32_t)settings->timeout_max_ms;
    service->gateway.cors_origin = settings->cors_origin;
    service->gateway.not_ready = not_ready;
    service->gateway.not_ready_context = service;
    const struct http_options http = {
        .listen = settings->http_listen,
        .connections_max = (unsigned)settings->connections_max,
        .threads = (unsigned)settings->http_threads,
        .request_timeout_ms = (uint32_t)settings->request_timeout_ms,
        .idle_timeout_ms = (uint32_t)settings->idle_timeout_ms,
        .body_max = api_body_max,
        .handle = api_handle,
        .refuse = api_refuse,
        .context = &service->gateway,
    };
    must(http_open(&http, &service->http, &error), &error);
    const struct ops_options ops = {
        .listen = settings->ops_listen, .not_ready = not_ready, .refresh = refresh, .context = service};
    enum status status = ops_open(&ops, &service->ops, &error);
    if (status == STATUS_OK)
        status = transport_watch_open(&service->watch, &error);
    if (status != STATUS_OK)
        (void)http_drain(service->http, 0); /* removes its socket */
    must(status, &error);
}

static void drain_and_close(struct gateway_service *service)
{
    live_stop(service->gateway.live);
    grpc_streams_stop(service->gateway.grpc_streams);
    if (!http_drain(service->http, (uint32_t)service->settings.drain_grace_ms))
        log_plain(LOG_WARN, "service.drain_incomplete");
    ops_close(service->ops);
    transport_watch_close(service->watch);
    backend_stop(service->gateway.backend); /* fails the requests in flight, so that they are answered */
    http_close(service->http);
    live_close(service->gateway.live);
    grpc_streams_close(service->gateway.grpc_streams);
    backend_close(service->gateway.backend);
    security_close(service->security);
}

int main(int argc, char **argv)
{
    standard_files_open();
    struct gateway_service service = {0};
    settings_load(&service.settings, argc, argv);
    open_all(&service);
    wait_for_services(&service);
    service_wait(is_stuck, &service);
    drain_and_close(&service);
    return 0;
}
