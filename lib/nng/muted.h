/*
 * The set of connections whose clients did not read a reply in time. A reply on such a connection is dropped
 * unless it can be sent immediately, so that a slow client does not block slots that other clients need. The
 * first reply that can be sent unmutes the connection.
 *
 * We do not close these connections, because nng may block forever if a connection is closed while a message
 * is arriving on it (stuck_reaper.h).
 */
#ifndef SCREENING_NNG_MUTED_H
#define SCREENING_NNG_MUTED_H

#include <nng/nng.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/map.h"

struct muted {
    _Atomic size_t count;  /* number of entries; while it is 0, lookups and removals skip the mutex */
    pthread_mutex_t mutex; /* guards the fields below */
    struct map pipes;
};

void muted_init(struct muted *muted);
void muted_fini(struct muted *muted);

/* Adding and removing are idempotent. Any thread. */
void muted_add(struct muted *muted, nng_pipe pipe);
void muted_remove(struct muted *muted, nng_pipe pipe);
bool muted_has(struct muted *muted, nng_pipe pipe);

#endif
