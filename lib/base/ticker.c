#include "base/ticker.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"

enum { NS_PER_S = 1000000000 };

struct ticker {
    ticker_fn tick;
    void *context;
    uint32_t period_ms;
    pthread_t thread;
    pthread_mutex_t lock; /* guards the fields below; never held during a tick */
    pthread_cond_t changed;
    bool woken;
    bool stopping;
};

/* Lock held. Returns when stopping, when the time is up or, if `wakeable`, when woken. */
static void wait_ms(struct ticker *ticker, uint32_t ms, bool wakeable)
{
    int64_t until_ns = clock_monotonic_ns() + (int64_t)ms * NS_PER_MS;
    struct timespec until = {.tv_sec = until_ns / NS_PER_S, .tv_nsec = until_ns % NS_PER_S};
    while (!ticker->stopping && !(wakeable && ticker->woken))
        if (pthread_cond_timedwait(&ticker->changed, &ticker->lock, &until) == ETIMEDOUT)
            break;
}

static void *run(void *context)
{
    struct ticker *ticker = context;
    pthread_mutex_lock(&ticker->lock);
    while (!ticker->stopping) {
        ticker->woken = false;
        pthread_mutex_unlock(&ticker->lock);
        ticker->tick(ticker->context, ticker);
        pthread_mutex_lock(&ticker->lock);
        wait_ms(ticker, ticker->period_ms, true);
    }
    pthread_mutex_unlock(&ticker->lock);
    return NULL;
}

static void destroy(struct ticker *ticker)
{
    pthread_cond_destroy(&ticker->changed);
    pthread_mutex_destroy(&ticker->lock);
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
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&ticker->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&ticker->lock, NULL);
    if (pthread_create(&ticker->thread, NULL, run, ticker) != 0) {
        destroy(ticker);
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "can't start a thread");
    }
    *out = ticker;
    return STATUS_OK;
}

void ticker_stop(struct ticker *ticker)
{
    pthread_mutex_lock(&ticker->lock);
    ticker->stopping = true;
    pthread_cond_broadcast(&ticker->changed);
    pthread_mutex_unlock(&ticker->lock);
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
    pthread_mutex_lock(&ticker->lock);
    ticker->woken = true;
    pthread_cond_broadcast(&ticker->changed);
    pthread_mutex_unlock(&ticker->lock);
}

bool ticker_stopping(struct ticker *ticker)
{
    pthread_mutex_lock(&ticker->lock);
    bool stopping = ticker->stopping;
    pthread_mutex_unlock(&ticker->lock);
    return stopping;
}

bool ticker_sleep(struct ticker *ticker, uint32_t ms)
{
    pthread_mutex_lock(&ticker->lock);
    wait_ms(ticker, ms, false);
    bool go_on = !ticker->stopping;
    pthread_mutex_unlock(&ticker->lock);
    return go_on;
}
