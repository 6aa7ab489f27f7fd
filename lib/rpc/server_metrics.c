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

void rpc_server_metrics_register(void)
{
    metric_register(&calls);
    metric_register(&in_flight);
    metric_register(&expired);
    metric_register(&dropped);
    metric_register(&not_taken);
    metric_register(&slots);
    metric_register(&connections);
}

void rpc_server_metrics_received(void)
{
    metric_add(&calls, 1);
    metric_add(&in_flight, 1);
}

void rpc_server_metrics_answered(void)
{
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
