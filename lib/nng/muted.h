/*
 * The connections whose clients did not take a reply in time. A reply to one of them is dropped unless the
 * client takes it immediately, so that a slow client costs the others no slots. The first reply that the
 * client takes unmutes its connection.
 *
 * We do not close these connections because of stuck_reaper.h: nng may block for good when a connection is
 * closed on which a message may be arriving.
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
