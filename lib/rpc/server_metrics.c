#include "rpc/server_metrics.h"

#include "base/metrics.h"

static struct metric calls = METRIC("rpc_server_calls_total", "requests received");
static struct metric in_flight = METRIC("rpc_server_in_flight", "requests received and not yet answered");
static struct metric expired =
    METRIC("rpc_server_deadline_answers_total", "calls answered by the server when their budget ended");
static struct metric dropped =
    METRIC("rpc_server_late_answers_dropped_total", "answers of handlers that came after the budget's end");
static struct metric not_taken =
    METRIC("rpc_server_answers_not_taken_total", "answers that their clients did not take in time");
static struct metric slots = METRIC("rpc_server_slots", "requests that the server could hold at once now");

static struct metric connections = METRIC("rpc_server_connections", "connections, also those being closed");

#define CODE_METRIC(name) METRIC("rpc_server_code_" name "_total", "calls answered with this status")

static struct metric codes[STATUS_COUNT] = {
    [STATUS_OK] = CODE_METRIC("ok"),
    [STATUS_CANCELLED] = CODE_METRIC("cancelled"),
    [STATUS_UNKNOWN] = CODE_METRIC("unknown"),
    [STATUS_INVALID_ARGUMENT] = CODE_METRIC("invalid_argument"),
    [STATUS_DEADLINE_EXCEEDED] = CODE_METRIC("deadline_exceeded"),
    [STATUS_NOT_FOUND] = CODE_METRIC("not_found"),
    [STATUS_ALREADY_EXISTS] = CODE_METRIC("already_exists"),
    [STATUS_PERMISSION_DENIED] = CODE_METRIC("permission_denied"),
    [STATUS_RESOURCE_EXHAUSTED] = CODE_METRIC("resource_exhausted"),
    [STATUS_FAILED_PRECONDITION] = CODE_METRIC("failed_precondition"),
    [STATUS_ABORTED] = CODE_METRIC("aborted"),
    [STATUS_OUT_OF_RANGE] = CODE_METRIC("out_of_range"),
    [STATUS_UNIMPLEMENTED] = CODE_METRIC("unimplemented"),
    [STATUS_INTERNAL] = CODE_METRIC("internal"),
    [STATUS_UNAVAILABLE] = CODE_METRIC("unavailable"),
    [STATUS_DATA_LOSS] = CODE_METRIC("data_loss"),
    [STATUS_UNAUTHENTICATED] = CODE_METRIC("unauthenticated"),
};

void rpc_server_metrics_register(void)
{
    metric_register(&calls);
    metric_register(&in_flight);
    metric_register(&expired);
    metric_register(&dropped);
    metric_register(&not_taken);
    metric_register(&slots);
    metric_register(&connections);
    for (int i = 0; i < STATUS_COUNT; i++) {
        metric_register(&codes[i]);
    }
}

void rpc_server_metrics_received(void)
{
    metric_add(&calls, 1);
    metric_add(&in_flight, 1);
}

void rpc_server_metrics_answered(enum status status)
{
    metric_add(&codes[status], 1);
    metric_add(&in_flight, -1);
}

void rpc_server_metrics_expired(void)
{
    metric_add(&expired, 1);
}

void rpc_server_metrics_dropped(void)
{
    metric_add(&dropped, 1);
}

void rpc_server_metrics_not_taken(void)
{
    metric_add(&not_taken, 1);
}

void rpc_server_metrics_slots(int delta)
{
    metric_add(&slots, delta);
}

void rpc_server_metrics_connections(int delta)
{
    metric_add(&connections, delta);
}
