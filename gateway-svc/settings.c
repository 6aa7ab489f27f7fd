#include "settings.h"

#include "service/config.h"
#include "service/service.h"

void settings_load(struct settings *settings, int argc, char **argv)
{
    const struct setting table[] = {
        // clang-format off
        TEXT("http-listen", settings->http_listen, "127.0.0.1:8081", "HOST:PORT or unix:PATH on which HTTP/2 without TLS is served, for the front door"),
        SECURITY_SETTINGS(settings->security),
        SWITCH("public-catalogue", settings->security.public_catalogue, "availability may be watched without a token"),
        TEXT("ops-listen", settings->ops_listen, "127.0.0.1:8089", "HOST:PORT or unix:PATH for /metrics, /livez and /readyz over HTTP; empty = none"),
        ADDRESSES("hospital-rpc", settings->rpc[BACKEND_HOSPITAL], "tcp://127.0.0.1:7101", "addresses of hospital-svc's calls, separated by commas"),
        ADDRESSES("booking-rpc", settings->rpc[BACKEND_BOOKING], "tcp://127.0.0.1:7201", "addresses of booking-svc's calls, separated by commas"),
        ADDRESSES("history-rpc", settings->rpc[BACKEND_HISTORY], "tcp://127.0.0.1:7301", "addresses of history-svc's calls, separated by commas"),
        ADDRESSES("hospital-events", settings->hospital_events, "tcp://127.0.0.1:7102", "addresses of the replicas that publish the hospital log, separated by commas"),
        ADDRESSES("booking-events", settings->booking_events, "tcp://127.0.0.1:7202", "addresses of the replicas that publish the booking log, separated by commas"),
        TEXT("cors-origin", settings->cors_origin, "", "origin whose pages may call the gateway, such as https://clinic.example; empty = none"),
        TEXT("time-zone", settings->time_zone, "Asia/Seoul", "the clinic's time zone: decides which day is today"),
        TEXT("log-level", settings->log_level, "info", "lowest level logged: debug, info, warn or error"),
        NUMBER("message-max-bytes", settings->message_max_bytes, "1048576", 262144, 67108864, "size of the largest message from and to the services, in bytes"),
        NUMBER("connections-max", settings->connections_max, "4096", 1, 65535, "HTTP connections at once"),
        NUMBER("listeners-max", settings->listeners_max, "2000", 1, 65535, "of these, listeners of /events"),
        NUMBER("http-threads", settings->http_threads, "1", 1, 64, "threads that serve HTTP"),
        NUMBER("request-timeout-ms", settings->request_timeout_ms, "10000", 100, 600000, "time from the start of a request to its end, in ms"),
        NUMBER("idle-timeout-ms", settings->idle_timeout_ms, "60000", 100, 3600000, "time for the next request's head to arrive on a connection, in ms"),
        NUMBER("default-timeout-ms", settings->default_timeout_ms, "2000", 1, 60000, "budget of calls that give none, in ms"),
        NUMBER("timeout-max-ms", settings->timeout_max_ms, "60000", 1, 600000, "largest budget that a call may give, in ms"),
        NUMBER("drain-grace-ms", settings->drain_grace_ms, "10000", 0, 600000, "longest wait for the requests in flight when the gateway stops, in ms"),
        // clang-format on
    };
    const size_t count = sizeof table / sizeof table[0];
    config_load(GATEWAY_PROGRAM, "Serves the other services over HTTP: REST, Connect, gRPC and events.",
                table, count, argc, argv);
    service_begin(GATEWAY_PROGRAM, settings->log_level, settings->time_zone);
    config_log(table, count);
}
