/*
 * Avoids two defects of nng's timeouts, which are in all versions up to at least 1.12.0:
 *
 * - nng first takes all expired aios off its list, then cancels the current operation of each, one after
 *   the other. An operation that is started on such an aio between these two steps times out as well, with
 *   its whole budget left, and the reply that it waits for is lost. Therefore an operation gets an aio of its
 *   own, and an aio whose operation ended just as it expired is replaced before it is used again. (A slot of
 *   the server has one aio for both of its operations. Its receive has no timeout, so it recognizes the wrong
 *   one.)
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
    bool spent; /* whether nng may still cancel the next operation on it */
    void (*callback)(void *context);
    void *context;
};

/* Allocates the aio. Returns nng's error code, or 0. nng_aio_free frees `aio`. */
int expiring_aio_alloc(struct expiring_aio *aio, void (*callback)(void *), void *context);

/* Call it when an operation has ended without a timeout, before the next one. `deadline_ns` was its limit. */
void expiring_aio_note(struct expiring_aio *aio, int64_t deadline_ns);

/*
 * Replaces a spent aio, unless `*stopped`, which `mutex` guards together with `aio`. Call it before an
 * operation. Returns false when out of memory. Do not call it on a callback of this aio, because it waits
 * until nng is done with the old one.
 */
bool expiring_aio_renew(struct expiring_aio *aio, pthread_mutex_t *mutex, const bool *stopped);

/* Sleeps by letting a timeout cut a longer sleep short. The result is NNG_ETIMEDOUT. */
void expiring_aio_sleep(nng_aio *aio, nng_duration ms);

#endif
