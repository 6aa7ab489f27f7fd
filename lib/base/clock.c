#include "base/clock.h"

#include <stdio.h>
#include <time.h>

#include "base/civil.h"

enum { S_PER_DAY = 86400 };

static int64_t system_now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now); /* fails only for an unknown clock */
    return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / NS_PER_US;
}

static int64_t (*wall_clock)(void) = system_now_us;

int64_t clock_now_us(void)
{
    return wall_clock();
}

int64_t clock_monotonic_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* fails only for an unknown clock */
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

void clock_replace(int64_t (*now_us)(void))
{
    wall_clock = now_us != NULL ? now_us : system_now_us;
}

int32_t clock_remaining_ms(int64_t deadline_ns)
{
    int64_t now_ns = clock_monotonic_ns();
    if (deadline_ns <= now_ns)
        return 0;
    int64_t remaining_ms = (deadline_ns - now_ns) / NS_PER_MS;
    return remaining_ms < INT32_MAX ? (int32_t)remaining_ms : INT32_MAX;
}

char *clock_format(int64_t instant_us, char out[CLOCK_TEXT_SIZE])
{
    const int64_t us_per_day = (int64_t)S_PER_DAY * US_PER_S;
    int64_t day = instant_us / us_per_day;
    int64_t us_of_day = instant_us % us_per_day;
    if (us_of_day < 0) {
        day--;
        us_of_day += us_per_day;
    }
    unsigned second = (unsigned)(us_of_day / US_PER_S);
    char date[CIVIL_TEXT_SIZE];
    (void)snprintf(out, CLOCK_TEXT_SIZE, "%sT%02u:%02u:%02u.%06uZ", civil_format((int32_t)day, date),
                   second / 3600, second / 60 % 60, second % 60, (unsigned)(us_of_day % US_PER_S));
    return out;
}
