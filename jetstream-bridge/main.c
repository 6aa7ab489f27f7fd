/* jetstream-bridge publishes both logs to NATS JetStream. It is stateless: a stream shows where to continue.
 */
#include "outlet.h"
#include "settings.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/standard_files.h"
#include "nng/stuck_reaper.h"
#include "service/log_metrics.h"
#include "service/ops.h"
#include "service/service.h"

#include "screening/v1/words.h"

enum { BOOKING, HOSPITAL, LOGS, LOOK_MS = 1000 };

/*
 * How long a stream may seem not to fit its log. After a failover, a publisher may read an old copy of the
 * log for a moment. The follower asks again every 2 s, and goes on if the log has its last event.
 */
enum { HALTED_MAX_MS = 6000 };

static const char *const LABELS[LOGS] = {
    [BOOKING] = "log=\"" SCREENING_LOG_BOOKING "\"", [HOSPITAL] = "log=\"" SCREENING_LOG_HOSPITAL "\""};

struct bridge {
    struct settings settings;
    struct security *security;
    struct outlet *outlets[LOGS];
    int64_t halted_ns[LOGS]; /* monotonic: since when the stream does not fit its log; 0 = it fits */
    struct ops_server *ops;
    struct transport_watch *watch;
};

/* If `status` is not OK, prints one line and exits with code 2. */
static void must(enum status status, const struct error *error)
{
    if (status != STATUS_OK)
        service_config_error(BRIDGE_PROGRAM, error);
}

/* Returns why the bridge is not ready, or NULL if it is. Any thread. */
static const char *not_ready(void *context)
{
    const struct bridge *bridge = context;
    for (int log = 0; log < LOGS; log++) {
        struct event_follower_status now;
        event_follower_status(outlet_follower(bridge->outlets[log]), &now);
        if (now.state == FOLLOWER_DISCONNECTED)
            return log == BOOKING ? "not connected to booking-svc" : "not connected to hospital-svc";
        if (!outlet_connected(bridge->outlets[log]))
            return "not connected to NATS";
    }
    return NULL;
}

static void refresh(void *context)
{
    const struct bridge *bridge = context;
    for (size_t log = 0; log < LOGS; log++)
        log_metrics_refresh(log, LABELS[log], outlet_follower(bridge->outlets[log]));
}

static enum status check(const struct bridge *bridge, struct error *error)
{
    const struct settings *settings = &bridge->settings;
    TRY(security_check_callee(bridge->security, "hospital-rpc", settings->hospital_rpc, error));
    TRY(security_check_followed(bridge->security, "hospital-events", settings->hospital_events, error));
    TRY(security_check_callee(bridge->security, "booking-rpc", settings->booking_rpc, error));
    TRY(security_check_followed(bridge->security, "booking-events", settings->booking_events, error));
    TRY(security_check_port(bridge->security, "ops-listen", settings->ops_listen, error));
    return broker_check(&settings->broker, error);
}

static void open_outlet(struct bridge *bridge, int log)
{
    const struct settings *settings = &bridge->settings;
    const bool is_booking = log == BOOKING;
    struct error error;
    const struct outlet_options options = {
        .log = is_booking ? SCREENING_LOG_BOOKING : SCREENING_LOG_HOSPITAL,
        .rpc_address = is_booking ? settings->booking_rpc : settings->hospital_rpc,
        .events_addresses = is_booking ? settings->booking_events : settings->hospital_events,
        .message_max_bytes = (size_t)settings->message_max_bytes,
        .peer = {bridge->security, is_booking ? "booking-svc" : "hospital-svc"},
        .broker = &settings->broker,
        .replicas = settings->stream_replicas,
    };
    must(outlet_open(&options, &bridge->outlets[log], &error), &error);
}

static void open_all(struct bridge *bridge)
{
    struct error error;
    must(security_open(&bridge->settings.security, BRIDGE_PROGRAM, &bridge->security, &error), &error);
    must(check(bridge, &error), &error);
    for (int log = 0; log < LOGS; log++)
        open_outlet(bridge, log);
    const struct ops_options ops = {
        .listen = bridge->settings.ops_listen, .not_ready = not_ready, .refresh = refresh, .context = bridge};
    must(ops_open(&ops, &bridge->ops, &error), &error);
    must(transport_watch_open(&bridge->watch, &error), &error);
}

/* Returns whether a stream does not fit its log for good, and logs which. events.halted has the reason. */
static bool is_halted(struct bridge *bridge, int64_t now_ns)
{
    bool halted = false;
    for (int log = 0; log < LOGS; log++) {
        struct event_follower_status now;
        event_follower_status(outlet_follower(bridge->outlets[log]), &now);
        int64_t *since_ns = &bridge->halted_ns[log];
        if (now.state != FOLLOWER_DIVERGED)
            *since_ns = 0;
        else if (*since_ns == 0)
            *since_ns = now_ns;
        if (*since_ns == 0 || now_ns - *since_ns < HALTED_MAX_MS * (int64_t)NS_PER_MS)
            continue;
        log_event(LOG_ERROR, "bridge.stream_does_not_fit",
                  LOG_TEXT("stream", outlet_stream(bridge->outlets[log])));
        halted = true;
    }
    return halted;
}

/* Runs until a signal requests a stop, or until the bridge cannot continue. Returns the exit code. */
static int run(struct bridge *bridge)
{
    log_release();
    log_plain(LOG_INFO, "service.ready");
    while (!service_stop_requested(LOOK_MS)) {
        security_look_after(bridge->security, service_take_hangup());
        if (is_halted(bridge, clock_monotonic_ns()))
            return SERVICE_EXIT_FAILED;
        for (int log = 0; log < LOGS; log++)
            outlet_look_after(bridge->outlets[log]);
        if (transport_watch_is_stuck(bridge->watch)) {
            log_plain(LOG_ERROR, "service.stuck");
            _exit(SERVICE_EXIT_STUCK);
        }
    }
    return 0;
}

/*
 * Leaves libnats open. Its nats_Close frees the compression methods of OpenSSL, which OpenSSL frees again
 * when the process exits. No thread of a connection outlives natsConnection_Destroy.
 */
static void close_all(struct bridge *bridge)
{
    ops_close(bridge->ops);
    transport_watch_close(bridge->watch);
    for (int log = 0; log < LOGS; log++)
        outlet_close(bridge->outlets[log]);
    security_close(bridge->security);
}

int main(int argc, char **argv)
{
    standard_files_open();
    static struct bridge bridge;
    settings_load(&bridge.settings, argc, argv);
    open_all(&bridge);
    int code = run(&bridge);
    close_all(&bridge);
    return code;
}
