/* A mutex with one condition variable, which uses the monotonic clock. Any thread. */
#ifndef SCREENING_BASE_MONITOR_H
#define SCREENING_BASE_MONITOR_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct monitor {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
};

void monitor_init(struct monitor *monitor);
void monitor_fini(struct monitor *monitor);

static inline void monitor_lock(struct monitor *monitor)
{
    pthread_mutex_lock(&monitor->mutex);
}

static inline void monitor_unlock(struct monitor *monitor)
{
    pthread_mutex_unlock(&monitor->mutex);
}

/*
 * Wakes all waiters. The caller must hold the lock, or have held it when it changed the state that they wait
 * for.
 */
static inline void monitor_notify(struct monitor *monitor)
{
    pthread_cond_broadcast(&monitor->changed);
}

/*
 * Waits for a notification, at most until `deadline_ns` (monotonic; INT64_MAX = no deadline). Returns false
 * if the deadline has passed. May return true without a notification. The caller must hold the lock.
 */
bool monitor_wait(struct monitor *monitor, int64_t deadline_ns);

#endif
