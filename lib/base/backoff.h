/* Growing, jittered pauses between attempts. Pure apart from the jitter; one owner. */
#ifndef SCREENING_BASE_BACKOFF_H
#define SCREENING_BASE_BACKOFF_H

#include <stdint.h>

struct backoff {
    uint32_t next_ms; /* 0 = no attempt has failed yet */
    uint32_t first_ms;
    uint32_t max_ms;
};

/* Returns the next pause, a random time between half and all of a length that doubles up to max_ms. */
int64_t backoff_next_ns(struct backoff *backoff);

/* Starts again with the shortest pause. Call it after a success. */
void backoff_reset(struct backoff *backoff);

#endif
