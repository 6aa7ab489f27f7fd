#include "rpc/guard.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"

enum status rpc_guard_init(struct rpc_guard *guard, const char *peer, const struct breaker_options *breaker,
                           const struct retry_options *retry)
{
    guard->peer = peer;
    guard->has_breaker = breaker->window_ms != 0;
    guard->has_retries = retry->percent != 0 || retry->min_per_s != 0;
    if (peer != NULL) {
        guard->metrics = rpc_peer_metrics_of(peer);
        if (guard->metrics == NULL)
            return STATUS_RESOURCE_EXHAUSTED;
    }
    breaker_init(&guard->breaker, breaker);
    retry_budget_init(&guard->budget, retry, clock_monotonic_ns());
    atomic_init(&guard->state, BREAKER_CLOSED);
    pthread_mutex_init(&guard->mutex, NULL);
    return STATUS_OK;
}

void rpc_guard_fini(struct rpc_guard *guard)
{
    pthread_mutex_destroy(&guard->mutex);
}

/* ---- the breaker ---- */

/*
 * Reports the breaker's new state and, for BREAKER_OPEN, the calls that led to it. The caller holds the lock,
 * so that the log lines appear in the order of the changes.
 */
static void report_change(struct rpc_guard *guard, struct breaker_count led_to_it)
{
    enum breaker_state state = guard->breaker.state;
    atomic_store(&guard->state, (int)state);
    if (guard->peer == NULL)
        return;
    metric_set(&guard->metrics->breaker_state, (int64_t)state);
    switch (state) {
    case BREAKER_OPEN:
        metric_add(&guard->metrics->breaker_opened, 1);
        log_event(LOG_WARN, "breaker.opened", LOG_TEXT("peer", guard->peer),
                  LOG_INT("failures", led_to_it.failures),
                  LOG_INT("calls", led_to_it.failures + led_to_it.successes),
                  LOG_INT("open_ms", guard->breaker.options.open_ms));
        break;
    case BREAKER_HALF_OPEN:
        metric_add(&guard->metrics->breaker_half_opened, 1);
        log_event(LOG_INFO, "breaker.half_open", LOG_TEXT("peer", guard->peer));
        break;
    case BREAKER_CLOSED:
        metric_add(&guard->metrics->breaker_closed, 1);
        log_event(LOG_INFO, "breaker.closed", LOG_TEXT("peer", guard->peer));
        break;
    }
}

size_t rpc_guard_admit(struct rpc_guard *guard, size_t wanted, bool first, uint64_t *era)
{
    *era = 0;
    if (!guard->has_breaker && !guard->has_retries)
        return wanted;
    pthread_mutex_lock(&guard->mutex);
    enum breaker_state before = guard->breaker.state;
    size_t admitted = breaker_admit(&guard->breaker, wanted, clock_monotonic_ns(), era);
    CHECK(admitted <= wanted);
    if (guard->breaker.state != before)
        report_change(guard, (struct breaker_count){0});
    if (first && admitted > 0)
        retry_budget_earn(&guard->budget);
    pthread_mutex_unlock(&guard->mutex);
    if (guard->metrics != NULL && admitted < wanted)
        metric_add(&guard->metrics->refused_by_breaker, (int64_t)(wanted - admitted));
    return admitted;
}

void rpc_guard_record(struct rpc_guard *guard, uint64_t era, const struct breaker_count *count)
{
    if (!guard->has_breaker)
        return;
    pthread_mutex_lock(&guard->mutex);
    enum breaker_state before = guard->breaker.state;
    int64_t now_ns = clock_monotonic_ns();
    breaker_record(&guard->breaker, era, count, now_ns);
    if (guard->breaker.state != before) {
        /* If a failed probe has reopened the breaker, report the probes just recorded, not the old window. */
        report_change(guard, before == BREAKER_CLOSED ? breaker_window(&guard->breaker, now_ns) : *count);
    }
    pthread_mutex_unlock(&guard->mutex);
}

size_t rpc_guard_room(struct rpc_guard *guard)
{
    if (atomic_load(&guard->state) == BREAKER_CLOSED)
        return SIZE_MAX;
    pthread_mutex_lock(&guard->mutex);
    size_t room = breaker_room(&guard->breaker, clock_monotonic_ns());
    pthread_mutex_unlock(&guard->mutex);
    return room;
}

uint32_t rpc_guard_wait_ms(struct rpc_guard *guard)
{
    if (atomic_load(&guard->state) == BREAKER_CLOSED)
        return 0;
    pthread_mutex_lock(&guard->mutex);
    uint32_t wait_ms = breaker_wait_ms(&guard->breaker, clock_monotonic_ns());
    pthread_mutex_unlock(&guard->mutex);
    return wait_ms;
}

/* ---- retries ---- */

bool rpc_guard_take_retry(struct rpc_guard *guard)
{
    if (!guard->has_retries)
        return false;
    pthread_mutex_lock(&guard->mutex);
    bool taken = retry_budget_take(&guard->budget, clock_monotonic_ns());
    pthread_mutex_unlock(&guard->mutex);
    if (guard->metrics != NULL)
        metric_add(taken ? &guard->metrics->retries : &guard->metrics->retries_refused, 1);
    return taken;
}
