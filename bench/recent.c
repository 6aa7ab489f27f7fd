#include "recent.h"

#include <stdlib.h>

/* Knuth's multiplier, which spreads consecutive numbers far apart. */
static const uint64_t SPREAD = 2654435761;

struct recent *recent_create(void)
{
    struct recent *recent = calloc(1, sizeof *recent);
    if (recent != NULL)
        pthread_mutex_init(&recent->lock, NULL);
    return recent;
}

void recent_destroy(struct recent *recent)
{
    if (recent == NULL)
        return;
    pthread_mutex_destroy(&recent->lock);
    free(recent);
}

void recent_add(struct recent *recent, const struct uuid *booking_id)
{
    pthread_mutex_lock(&recent->lock);
    recent->bookings[recent->added++ % RECENT_MAX] = *booking_id;
    pthread_mutex_unlock(&recent->lock);
}

bool recent_pick(struct recent *recent, uint64_t number, struct uuid *booking_id)
{
    pthread_mutex_lock(&recent->lock);
    uint64_t kept = recent->added < RECENT_MAX ? recent->added : RECENT_MAX;
    if (kept > 0)
        *booking_id = recent->bookings[number * SPREAD % kept];
    pthread_mutex_unlock(&recent->lock);
    return kept > 0;
}
