#include "nng/expiring_aio.h"

#include "base/clock.h"

/* nng counts in whole milliseconds, so an operation may expire this long before its deadline. */
enum { MARGIN_MS = 2 };

int expiring_aio_alloc(struct expiring_aio *aio, void (*callback)(void *), void *context)
{
    *aio = (struct expiring_aio){.callback = callback, .context = context};
    return nng_aio_alloc(&aio->aio, callback, context);
}

void expiring_aio_note(struct expiring_aio *aio, int64_t deadline_ns)
{
    aio->spent = clock_monotonic_ns() >= deadline_ns - MARGIN_MS * (int64_t)NS_PER_MS;
}

bool expiring_aio_renew(struct expiring_aio *aio, pthread_mutex_t *mutex, const bool *stopped)
{
    nng_aio *fresh;
    if (!aio->spent)
        return true;
    if (nng_aio_alloc(&fresh, aio->callback, aio->context) != 0)
        return false;
    pthread_mutex_lock(mutex);
    nng_aio *unused = fresh;
    if (!*stopped) {
        unused = aio->aio;
        aio->aio = fresh;
    }
    pthread_mutex_unlock(mutex);
    nng_aio_free(unused);
    aio->spent = false;
    return true;
}

void expiring_aio_sleep(nng_aio *aio, nng_duration ms)
{
    nng_aio_set_timeout(aio, ms);
    nng_sleep_aio(ms + 1, aio);
}
