/* A thread that does one thing regularly, and at once when it is woken. */
#ifndef SCREENING_BASE_TICKER_H
#define SCREENING_BASE_TICKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct ticker;

/* Called on the ticker's thread: at the start, then `period_ms` after it last returned, sooner when woken. */
typedef void (*ticker_fn)(void *context, struct ticker *ticker);

/* Starts the thread. RESOURCE_EXHAUSTED if that can't be done. */
MUST_CHECK enum status ticker_open(uint32_t period_ms, ticker_fn tick, void *context, struct ticker **out,
                                   struct error *error);

/* Ends the thread after the tick at hand. Waking does nothing from then on. Not from the tick. */
void ticker_stop(struct ticker *ticker);

/* The same unless it was done, and frees it: nobody may wake it any more. NULL is allowed. */
void ticker_close(struct ticker *ticker);

/* Lets the next tick begin now, or right after the one at hand. Any thread. */
void ticker_wake(struct ticker *ticker);

/* True once ticker_stop or ticker_close was called: a long tick should end. Any thread. */
bool ticker_stopping(struct ticker *ticker);

/* Waits inside a tick, at most `ms`; false if the ticker is stopping. Only from the tick. */
bool ticker_sleep(struct ticker *ticker, uint32_t ms);

#endif
