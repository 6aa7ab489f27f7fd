#include "events/monitor.h"

#include <assert.h>
#include <time.h>

enum { NS_PER_S = 1000000000 };

enum status monitor_init(struct monitor *monitor)
{
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0)
        return STATUS_RESOURCE_EXHAUSTED;
    enum status status = STATUS_RESOURCE_EXHAUSTED;
    if (pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
        pthread_cond_init(&monitor->changed, &attributes) == 0) {
        if (pthread_mutex_init(&monitor->mutex, NULL) == 0)
            status = STATUS_OK;
        else
            pthread_cond_destroy(&monitor->changed);
    }
    pthread_condattr_destroy(&attributes);
    return status;
}

void monitor_fini(struct monitor *monitor)
{
    pthread_mutex_destroy(&monitor->mutex);
    pthread_cond_destroy(&monitor->changed);
}

void monitor_lock(struct monitor *monitor)
{
    int failure = pthread_mutex_lock(&monitor->mutex);
    assert(failure == 0);
    (void)failure;
}

void monitor_unlock(struct monitor *monitor)
{
    pthread_mutex_unlock(&monitor->mutex);
}

void monitor_notify(struct monitor *monitor)
{
    pthread_cond_broadcast(&monitor->changed);
}

void monitor_wait(struct monitor *monitor, int64_t deadline_ns)
{
    if (deadline_ns == INT64_MAX) {
        pthread_cond_wait(&monitor->changed, &monitor->mutex);
        return;
    }
    const struct timespec deadline = {.tv_sec = deadline_ns / NS_PER_S, .tv_nsec = deadline_ns % NS_PER_S};
    pthread_cond_timedwait(&monitor->changed, &monitor->mutex, &deadline);
}
