/* Stores the most recently confirmed bookings, for callers that read bookings. Any thread. */
#ifndef SCREENING_BENCH_RECENT_H
#define SCREENING_BENCH_RECENT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uuid.h"

enum { RECENT_MAX = 1 << 16 }; /* the newest replace the oldest */

struct recent {
    pthread_mutex_t lock; /* guards the following members */
    struct uuid bookings[RECENT_MAX];
    uint64_t added;
};

/* Creates an empty list. Returns NULL when out of memory. */
struct recent *recent_create(void);
void recent_destroy(struct recent *recent);

void recent_add(struct recent *recent, const struct uuid *booking_id);

/*
 * Sets *booking_id to one of the bookings, chosen by `number`. Consecutive numbers choose bookings from the
 * whole list. Returns false if there are none yet.
 */
bool recent_pick(struct recent *recent, uint64_t number, struct uuid *booking_id);

#endif
