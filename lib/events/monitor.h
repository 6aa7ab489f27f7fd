/* A mutex with one condition variable, timed by the monotonic clock. Any thread. */
#ifndef SCREENING_EVENTS_MONITOR_H
#define SCREENING_EVENTS_MONITOR_H

#include <pthread.h>
#include <stdint.h>

#include "base/status.h"

struct monitor {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
};

/* RESOURCE_EXHAUSTED if the system cannot provide another lock. */
MUST_CHECK enum status monitor_init(struct monitor *monitor);
void monitor_fini(struct monitor *monitor);

void monitor_lock(struct monitor *monitor);
void monitor_unlock(struct monitor *monitor);

/* With the lock held: wakes all waiters. */
void monitor_notify(struct monitor *monitor);

/* With the lock held: waits for a notification, at most until `deadline_ns` (monotonic; INT64_MAX = no
 * deadline). May return early. */
void monitor_wait(struct monitor *monitor, int64_t deadline_ns);

#endif
