#include "rpc/socket_close.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

enum { PATIENCE_MS = 2000, PATIENCE_ONCE_HUNG_MS = 100 };

/* Once nng's reaper thread is stuck it stays stuck, so later closes get a shorter wait. */
static _Atomic bool hung;

/* Shared by the waiting thread and the closing thread; the last one to use it frees it. */
struct closing {
    nng_socket socket;
    pthread_mutex_t mutex; /* guards the fields below */
    pthread_cond_t wake;
    bool closed;
    bool abandoned;
};

static void destroy(struct closing *closing)
{
    pthread_cond_destroy(&closing->wake);
    pthread_mutex_destroy(&closing->mutex);
    free(closing);
}

static void *run(void *context)
{
    struct closing *closing = context;
    (void)nng_close(closing->socket); /* fails only if the socket is already closed */
    pthread_mutex_lock(&closing->mutex);
    closing->closed = true;
    bool abandoned = closing->abandoned;
    pthread_cond_signal(&closing->wake);
    pthread_mutex_unlock(&closing->mutex);
    if (abandoned)
        destroy(closing);
    return NULL;
}

static struct closing *create(nng_socket socket)
{
    struct closing *closing = calloc(1, sizeof *closing);
    if (closing == NULL)
        return NULL;
    closing->socket = socket;
    pthread_mutex_init(&closing->mutex, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&closing->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    return closing;
}

/* Returns whether the socket was closed in time. If not, the closing thread frees `closing`. */
static bool wait_until_closed(struct closing *closing)
{
    int64_t patience_ns = (int64_t)(atomic_load(&hung) ? PATIENCE_ONCE_HUNG_MS : PATIENCE_MS) * NS_PER_MS;
    int64_t until_ns = clock_monotonic_ns() + patience_ns;
    struct timespec until = {.tv_sec = until_ns / ((int64_t)NS_PER_MS * MS_PER_S),
                             .tv_nsec = until_ns % ((int64_t)NS_PER_MS * MS_PER_S)};
    int rv = 0;
    pthread_mutex_lock(&closing->mutex);
    while (!closing->closed && rv == 0)
        rv = pthread_cond_timedwait(&closing->wake, &closing->mutex, &until);
    bool closed = closing->closed;
    closing->abandoned = !closed;
    pthread_mutex_unlock(&closing->mutex);
    return closed;
}

bool rpc_socket_close(nng_socket socket)
{
    struct closing *closing = create(socket);
    pthread_t thread;
    if (closing == NULL || pthread_create(&thread, NULL, run, closing) != 0) {
        if (closing != NULL)
            destroy(closing);
        (void)nng_close(socket); /* out of memory or threads: risk blocking */
        return true;
    }
    if (!wait_until_closed(closing)) {
        atomic_store(&hung, true);
        pthread_detach(thread);
        log_plain(LOG_WARN, "rpc.socket_close_hangs");
        return false;
    }
    pthread_join(thread, NULL);
    destroy(closing);
    return true;
}
