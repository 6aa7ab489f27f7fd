/* When a line about what lasts is logged again: at first, and then once a minute. */
#ifndef SCREENING_BASE_REPEAT_H
#define SCREENING_BASE_REPEAT_H

#include <stdbool.h>
#include <stdint.h>

/* All zero: nothing lasts. */
struct repeat {
    bool lasts;
    int64_t next_ns;
};

/* It lasts at `now_ns`, monotonic: whether to log it now. */
bool repeat_is_due(struct repeat *repeat, int64_t now_ns);

/* It is over: whether it was logged. */
bool repeat_end(struct repeat *repeat);

#endif
