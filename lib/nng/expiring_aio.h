/*
 * Avoids two defects of nng's timeouts, present in all versions up to at least 1.12.0:
 *
 * - nng first takes all expired aios off its list, then cancels the current operation of each, one after the
 *   other. An operation that is started on such an aio between these two steps times out at once too, and the
 *   reply that it waits for is lost. Therefore each kind of operation has a separate aio, and an aio whose
 *   operation ended just as it expired is replaced before it is used again. (A slot of the server has one aio
 *   for both of its operations. Because its receive has no timeout, the slot can recognise a wrong timeout.)
 * - After a sleep that ended by itself, nng reports every later timeout of the same aio as success.
 */
#ifndef SCREENING_NNG_EXPIRING_AIO_H
#define SCREENING_NNG_EXPIRING_AIO_H

#include <nng/nng.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct expiring_aio {
    nng_aio *aio;
    bool spent; /* whether nng may cancel the next operation on this aio */
    void (*callback)(void *context);
    void *context;
};

/* Allocates the aio. Returns nng's error code, or 0. Free `aio` with nng_aio_free. */
int expiring_aio_alloc(struct expiring_aio *aio, void (*callback)(void *), void *context);

/*
 * Notes whether nng may cancel the next operation. Call it after an operation that ended without a timeout.
 * `deadline_ns` is the deadline of that operation (monotonic).
 */
void expiring_aio_note(struct expiring_aio *aio, int64_t deadline_ns);

/*
 * Replaces the aio if it is spent and *stopped is false. `mutex` guards both. Call it before an operation.
 * Returns false when out of memory. Do not call it in a callback of this aio, because it waits until nng has
 * finished with the old aio.
 */
bool expiring_aio_renew(struct expiring_aio *aio, pthread_mutex_t *mutex, const bool *stopped);

/*
 * Sleeps for `ms` by starting a longer sleep, which a timeout ends. The aio's result is then NNG_ETIMEDOUT.
 */
void expiring_aio_sleep(nng_aio *aio, nng_duration ms);

#endif
