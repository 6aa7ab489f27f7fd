/*
 * Who is let into a queue, and in what order it is served: the turns of fair_queue.h, a bound on the places,
 * and a refusal for what would wait too long.
 *
 * Shares of the places are nested like the turns. The last eighth of all places is kept for connections that
 * hold fewer than these are. Of what a connection may take, the last eighth is kept for those of its
 * addresses that hold fewer than these are.
 *
 * The caller's lock guards all of it but admission_release.
 */
#ifndef SCREENING_BASE_ADMISSION_H
#define SCREENING_BASE_ADMISSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/backlog.h"
#include "base/fair_queue.h"
#include "base/status.h"

/* The counts of places only grow under the caller's lock and may shrink at any time, so who sees a free place
 * under the lock has it. */
struct admission {
    struct fair_queue queue;
    struct backlog backlog;
    size_t places_max;
    int64_t since_ns; /* admission_pop_paced: what stayed behind at every pop since then, 0 = nothing, */
    size_t popped;    /* while so many went */
    atomic_size_t taken;
    atomic_uint by_connection[FAIR_CONNECTIONS];
    atomic_uint by_address[FAIR_CONNECTIONS][FAIR_ADDRESSES];
};

enum admission_verdict {
    ADMISSION_GRANTED,
    ADMISSION_FULL,    /* all places that the source may take are taken */
    ADMISSION_HOPELESS /* half of its time would go by in the queue */
};

/* NULL when out of memory; free with free(). */
struct admission *admission_create(size_t places_max);

/*
 * Whether the item may come in now, with a deadline (monotonic, 0 = none). One whose time has gone by is
 * granted: it is to be told that, not this.
 */
enum admission_verdict admission_ask(const struct admission *admission, const struct fair_item *item,
                                     int64_t deadline_ns, int64_t now_ns);

/* Sets RESOURCE_EXHAUSTED `OVERLOADED`, "too many WHAT wait". `error` may be NULL. */
enum status admission_refuse(const char *what, uint32_t retry_after_ms, struct error *error);

/* Takes a place and queues the item, asked or not. */
void admission_push(struct admission *admission, struct fair_item *item);

/* The next one, which keeps its place; NULL when nothing waits. */
struct fair_item *admission_pop(struct admission *admission);

/* The same, and learns how long those that wait now will wait: for queues that are served one by one. */
struct fair_item *admission_pop_paced(struct admission *admission, int64_t now_ns);

/* Gives back the place of an item from `source`. Any thread, without the lock. */
void admission_release(struct admission *admission, uint64_t source);

/* Whether a source that names an address, or does not, may take one more of `max` places, of which `taken`
 * are taken, so many by its connection and so many by its address. Pure. */
bool admission_has_room(size_t max, size_t taken, size_t by_connection, bool names_address,
                        size_t by_address);

#endif
