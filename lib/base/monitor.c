#include "base/monitor.h"

#include <time.h>

#include "base/clock.h"

/* In the C libraries that we use, none of these calls can fail, because they allocate nothing. */
void monitor_init(struct monitor *monitor)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&monitor->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&monitor->mutex, NULL);
}

void monitor_fini(struct monitor *monitor)
{
    pthread_mutex_destroy(&monitor->mutex);
    pthread_cond_destroy(&monitor->changed);
}

bool monitor_wait(struct monitor *monitor, int64_t deadline_ns)
{
    if (deadline_ns == INT64_MAX)
        return pthread_cond_wait(&monitor->changed, &monitor->mutex) == 0;
    const struct timespec deadline = {.tv_sec = deadline_ns / NS_PER_S, .tv_nsec = deadline_ns % NS_PER_S};
    return pthread_cond_timedwait(&monitor->changed, &monitor->mutex, &deadline) == 0;
}
