#include "rpc/peer_metrics.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

struct peer {
    struct rpc_peer_metrics metrics;
    struct peer *next;
    struct arena names;
    const char *name;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards the list, not the metrics */
static struct peer *known;

static const struct rpc_peer_metrics NEW = {
    .breaker_state = METRIC("rpc_breaker_state", "0 = closed, 1 = half-open, 2 = open"),
    .breaker_opened = METRIC("rpc_breaker_opened_total", "Times that the breaker opened"),
    .breaker_half_opened = METRIC("rpc_breaker_half_opened_total", "Times that the breaker began to probe"),
    .breaker_closed = METRIC("rpc_breaker_closed_total", "Times that the breaker closed"),
    .refused_by_breaker = METRIC("rpc_calls_refused_by_breaker_total", "Calls not made: the breaker"),
    .refused_by_bulkhead =
        METRIC("rpc_calls_refused_by_bulkhead_total", "Calls not made: too many were in flight"),
    .retries = METRIC("rpc_retries_total", "Retries that the budget allowed"),
    .retries_refused = METRIC("rpc_retries_refused_total", "Retries that the budget put off or refused"),
    .in_flight = METRIC("rpc_calls_in_flight", "Calls sent and not yet answered"),
};

static void make_visible(struct rpc_peer_metrics *metrics, const char *labels)
{
    struct metric *all[] = {
        &metrics->breaker_state,  &metrics->breaker_opened,     &metrics->breaker_half_opened,
        &metrics->breaker_closed, &metrics->refused_by_breaker, &metrics->refused_by_bulkhead,
        &metrics->retries,        &metrics->retries_refused,    &metrics->in_flight,
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        all[i]->labels = labels;
        metric_register(all[i]);
    }
}

static struct peer *create(const char *name)
{
    struct peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL)
        return NULL;
    arena_init(&peer->names);
    const char *labels = arena_printf(&peer->names, "peer=\"%s\"", name);
    peer->name = arena_printf(&peer->names, "%s", name);
    if (labels == NULL || peer->name == NULL) {
        arena_fini(&peer->names);
        free(peer);
        return NULL;
    }
    memcpy(&peer->metrics, &NEW, sizeof NEW);
    make_visible(&peer->metrics, labels);
    return peer;
}

struct rpc_peer_metrics *rpc_peer_metrics_of(const char *name)
{
    pthread_mutex_lock(&mutex);
    struct peer *peer = known;
    while (peer != NULL && strcmp(peer->name, name) != 0)
        peer = peer->next;
    if (peer == NULL) {
        peer = create(name);
        if (peer != NULL) {
            peer->next = known;
            known = peer;
        }
    }
    pthread_mutex_unlock(&mutex);
    return peer != NULL ? &peer->metrics : NULL;
}
