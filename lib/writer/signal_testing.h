/* For tests: a counter that one thread raises and another awaits, with a deadline instead of a sleep. */
#ifndef SCREENING_WRITER_SIGNAL_TESTING_H
#define SCREENING_WRITER_SIGNAL_TESTING_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

enum { TEST_SIGNAL_TIMEOUT_S = 30 };

struct test_signal {
    pthread_mutex_t lock;
    pthread_cond_t raised;
    size_t count;
};

#define TEST_SIGNAL_INIT                                                                                     \
    {                                                                                                        \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0                                               \
    }

/* Raises the counter and returns the new count. Any thread. */
static inline size_t test_signal_raise(struct test_signal *signal)
{
    size_t count;
    pthread_mutex_lock(&signal->lock);
    count = ++signal->count;
    pthread_cond_broadcast(&signal->raised);
    pthread_mutex_unlock(&signal->lock);
    return count;
}

/*
 * Waits until the counter reaches `count`. Returns false after TEST_SIGNAL_TIMEOUT_S. Any thread.
 */
static inline bool test_signal_await(struct test_signal *signal, size_t count)
{
    struct timespec deadline;
    bool reached;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += TEST_SIGNAL_TIMEOUT_S;
    pthread_mutex_lock(&signal->lock);
    while (signal->count < count && pthread_cond_timedwait(&signal->raised, &signal->lock, &deadline) == 0) {
    }
    reached = signal->count >= count;
    pthread_mutex_unlock(&signal->lock);
    return reached;
}

#endif
