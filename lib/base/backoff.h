/* Growing, jittered pauses between attempts. Pure apart from the jitter; one owner at a time. */
#ifndef SCREENING_BASE_BACKOFF_H
#define SCREENING_BASE_BACKOFF_H

#include <stdint.h>

struct backoff {
    uint32_t next_ms; /* 0 = the next pause is the first one */
    uint32_t first_ms;
    uint32_t max_ms;
};

/*
 * Returns the next pause, a random time between half of the current length and the full length. The length
 * starts at `first_ms` and doubles with each call, up to `max_ms`.
 */
int64_t backoff_next_ns(struct backoff *backoff);

/* Starts again with the shortest pause. Call it after a success. */
void backoff_reset(struct backoff *backoff);

#endif
