#include "base/ticker.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/monitor.h"

struct ticker {
    ticker_fn tick;
    void *context;
    uint32_t period_ms;
    pthread_t thread;
    struct monitor monitor; /* guards the fields below; not held during a tick */
    pthread_t ticking;      /* same as `thread`; set by the thread itself */
    bool woken;
    bool stopping;
};

/* Waits for `ms`, or until the ticker is stopped or (if `wakeable`) woken. The caller holds the lock. */
static void wait_ms(struct ticker *ticker, uint32_t ms, bool wakeable)
{
    int64_t until_ns = clock_monotonic_ns() + (int64_t)ms * NS_PER_MS;
    while (!ticker->stopping && !(wakeable && ticker->woken) && monitor_wait(&ticker->monitor, until_ns))
        ;
}

static void *run(void *context)
{
    struct ticker *ticker = context;
    monitor_lock(&ticker->monitor);
    ticker->ticking = pthread_self();
    while (!ticker->stopping) {
        ticker->woken = false;
        monitor_unlock(&ticker->monitor);
        ticker->tick(ticker->context, ticker);
        monitor_lock(&ticker->monitor);
        wait_ms(ticker, ticker->period_ms, true);
    }
    monitor_unlock(&ticker->monitor);
    return NULL;
}

static void destroy(struct ticker *ticker)
{
    monitor_fini(&ticker->monitor);
    free(ticker);
}

enum status ticker_open(uint32_t period_ms, ticker_fn tick, void *context, struct ticker **out,
                        struct error *error)
{
    struct ticker *ticker = calloc(1, sizeof *ticker);
    if (ticker == NULL)
        return error_no_memory(error);
    ticker->tick = tick;
    ticker->context = context;
    ticker->period_ms = period_ms;
    monitor_init(&ticker->monitor);
    if (pthread_create(&ticker->thread, NULL, run, ticker) != 0) {
        destroy(ticker);
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "can't start a thread");
    }
    *out = ticker;
    return STATUS_OK;
}

void ticker_stop(struct ticker *ticker)
{
    CHECK(!pthread_equal(pthread_self(), ticker->thread));
    monitor_lock(&ticker->monitor);
    CHECK(!ticker->stopping); /* ticker_stop must be called only once */
    ticker->stopping = true;
    monitor_notify(&ticker->monitor);
    monitor_unlock(&ticker->monitor);
    pthread_join(ticker->thread, NULL);
}

void ticker_close(struct ticker *ticker)
{
    if (ticker == NULL)
        return;
    if (!ticker_stopping(ticker))
        ticker_stop(ticker);
    destroy(ticker);
}

void ticker_wake(struct ticker *ticker)
{
    monitor_lock(&ticker->monitor);
    ticker->woken = true;
    monitor_notify(&ticker->monitor);
    monitor_unlock(&ticker->monitor);
}

bool ticker_stopping(struct ticker *ticker)
{
    monitor_lock(&ticker->monitor);
    bool stopping = ticker->stopping;
    monitor_unlock(&ticker->monitor);
    return stopping;
}

bool ticker_sleep(struct ticker *ticker, uint32_t ms)
{
    monitor_lock(&ticker->monitor);
    CHECK(pthread_equal(pthread_self(), ticker->ticking));
    wait_ms(ticker, ms, false);
    bool go_on = !ticker->stopping;
    monitor_unlock(&ticker->monitor);
    return go_on;
}
