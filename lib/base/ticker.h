/* A thread that runs a function periodically, and immediately when woken. */
#ifndef SCREENING_BASE_TICKER_H
#define SCREENING_BASE_TICKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct ticker;

/* Runs on the ticker's thread: at the start, and then `period_ms` after each return, or earlier if woken. */
typedef void (*ticker_fn)(void *context, struct ticker *ticker);

/* Starts the thread. Returns RESOURCE_EXHAUSTED if memory or threads run out. */
MUST_CHECK enum status ticker_open(uint32_t period_ms, ticker_fn tick, void *context, struct ticker **out,
                                   struct error *error);

/*
 * Waits for the current tick and ends the thread. ticker_wake then has no effect. Do not call it in a tick.
 */
void ticker_stop(struct ticker *ticker);

/*
 * Stops the ticker, unless ticker_stop has already stopped it, and frees it. No thread may wake it
 * afterwards. NULL is allowed.
 */
void ticker_close(struct ticker *ticker);

/* Starts the next tick now, or right after the current one. Any thread. */
void ticker_wake(struct ticker *ticker);

/*
 * Returns true once ticker_stop or ticker_close has been called. A long tick should then return. Any thread.
 */
bool ticker_stopping(struct ticker *ticker);

/* Waits up to `ms` within a tick. Returns false if the ticker is stopping. Call it only in a tick. */
bool ticker_sleep(struct ticker *ticker, uint32_t ms);

#endif
