#include "rpc/transport_watch.h"

#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum { TRY_EVERY_MS = 500, CLOSE_WAIT_MS = 1000, NS_PER_S = 1000000000 };

struct transport_watch {
    pthread_t thread;
    pthread_mutex_t lock; /* guards `stopping` and `ended` */
    pthread_cond_t changed;
    bool stopping;
    bool ended;
    _Atomic uint64_t attempt; /* odd: an attempt is under way */
    /* Used only by the caller of transport_watch_is_stuck. */
    uint64_t seen; /* the last attempt seen */
    int looks;     /* how often it was seen under way in a row */
};

/* Hangs if nng is stuck. Ignores failures: what cannot be opened need not be closed. */
static void try_transport(void)
{
    nng_socket listening, dialing;
    char address[64];

    (void)snprintf(address, sizeof address, "inproc://transport-watch-%ld", (long)getpid());
    if (nng_pair0_open(&listening) != 0)
        return;
    if (nng_pair0_open(&dialing) == 0) {
        if (nng_listen(listening, address, NULL, 0) == 0)
            (void)nng_dial(dialing, address, NULL, 0);
        (void)nng_close(dialing);
    }
    (void)nng_close(listening);
}

static bool pause_or_stop(struct transport_watch *watch)
{
    int64_t until_ns = clock_monotonic_ns() + TRY_EVERY_MS * (int64_t)NS_PER_MS;
    struct timespec until = {.tv_sec = until_ns / NS_PER_S, .tv_nsec = until_ns % NS_PER_S};

    pthread_mutex_lock(&watch->lock);
    while (!watch->stopping && pthread_cond_timedwait(&watch->changed, &watch->lock, &until) == 0)
        ;
    bool stop = watch->stopping;
    pthread_mutex_unlock(&watch->lock);
    return stop;
}

static void *run(void *context)
{
    struct transport_watch *watch = context;

    do {
        atomic_fetch_add(&watch->attempt, 1);
        try_transport();
        atomic_fetch_add(&watch->attempt, 1);
    } while (!pause_or_stop(watch));
    pthread_mutex_lock(&watch->lock);
    watch->ended = true;
    pthread_cond_signal(&watch->changed);
    pthread_mutex_unlock(&watch->lock);
    return NULL;
}

static void destroy(struct transport_watch *watch)
{
    pthread_cond_destroy(&watch->changed);
    pthread_mutex_destroy(&watch->lock);
    free(watch);
}

enum status transport_watch_open(struct transport_watch **out, struct error *error)
{
    struct transport_watch *watch = calloc(1, sizeof *watch);
    pthread_condattr_t attributes;

    if (watch == NULL)
        return error_no_memory(error);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&watch->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&watch->lock, NULL);
    if (pthread_create(&watch->thread, NULL, run, watch) != 0) {
        destroy(watch);
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "can't start a thread");
    }
    *out = watch;
    return STATUS_OK;
}

bool transport_watch_is_stuck(void *context)
{
    struct transport_watch *watch = context;
    uint64_t attempt = atomic_load(&watch->attempt);

    watch->looks = attempt % 2 == 1 && attempt == watch->seen ? watch->looks + 1 : 0;
    watch->seen = attempt;
    return watch->looks >= TRANSPORT_STUCK_LOOKS;
}

void transport_watch_close(struct transport_watch *watch)
{
    if (watch == NULL)
        return;
    int64_t until_ns = clock_monotonic_ns() + CLOSE_WAIT_MS * (int64_t)NS_PER_MS;
    struct timespec until = {.tv_sec = until_ns / NS_PER_S, .tv_nsec = until_ns % NS_PER_S};

    pthread_mutex_lock(&watch->lock);
    watch->stopping = true;
    pthread_cond_signal(&watch->changed);
    while (!watch->ended && pthread_cond_timedwait(&watch->changed, &watch->lock, &until) == 0)
        ;
    bool ended = watch->ended;
    pthread_mutex_unlock(&watch->lock);
    if (!ended) {
        pthread_detach(watch->thread);
        return;
    }
    pthread_join(watch->thread, NULL);
    destroy(watch);
}
