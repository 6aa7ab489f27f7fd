/*
 * Reads the clocks. An instant is in microseconds since 1970-01-01 UTC (`_us`), from the wall clock, which
 * may step. A deadline is in nanoseconds of the monotonic clock (`_ns`). Business rules never read a clock:
 * the caller passes `now`.
 */
#ifndef SCREENING_BASE_CLOCK_H
#define SCREENING_BASE_CLOCK_H

#include <stdint.h>

enum {
    NS_PER_US = 1000,
    US_PER_MS = 1000,
    MS_PER_S = 1000,
    NS_PER_MS = 1000000,
    US_PER_S = 1000000,
    NS_PER_S = 1000000000
};

/* Returns the time of the wall clock, or of its replacement. Any thread. */
int64_t clock_now_us(void);

/* Returns the time of the monotonic clock. Any thread. */
int64_t clock_monotonic_ns(void);

/* Replaces the wall clock with `now_us`, for tests. NULL restores it. Call it before other threads start. */
void clock_replace(int64_t (*now_us)(void));

/*
 * Returns the milliseconds until `deadline_ns`, rounded down and at most INT32_MAX. Returns 0 once the
 * deadline has passed.
 */
int32_t clock_remaining_ms(int64_t deadline_ns);

/* Writes an instant as RFC 3339 in UTC with microseconds, "2026-12-01T00:30:00.000000Z". Returns `out`. */
enum { CLOCK_TEXT_SIZE = 40 };
char *clock_format(int64_t instant_us, char out[CLOCK_TEXT_SIZE]);

#endif
