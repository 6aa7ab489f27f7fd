/* Decides when to log an ongoing condition: when it starts, and then once a minute. */
#ifndef SCREENING_BASE_REPEAT_H
#define SCREENING_BASE_REPEAT_H

#include <stdbool.h>
#include <stdint.h>

/* Set it to zero before the first call. */
struct repeat {
    bool lasts;
    int64_t next_ns;
};

/* Records that the condition holds at `now_ns` (monotonic). Returns whether to log it now. */
bool repeat_is_due(struct repeat *repeat, int64_t now_ns);

/* Records that the condition has ended. Returns whether it held until now. */
bool repeat_end(struct repeat *repeat);

#endif
