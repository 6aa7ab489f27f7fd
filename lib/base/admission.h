/*
 * Admission to a queue and its order of service: the turns of fair_queue.h, a limit on the places, and a
 * refusal for items that would wait too long.
 *
 * The places are shared by connection and by address, like the turns. The last eighth of all places is
 * reserved for connections that hold fewer places than that eighth. The last eighth of a connection's share
 * is reserved for those of its addresses that hold fewer places than that eighth.
 *
 * The caller's lock guards everything except admission_release.
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

/*
 * The place counters grow only under the caller's lock and may shrink at any time, so a place seen free under
 * the lock stays free.
 */
struct admission {
    struct fair_queue queue;
    struct backlog backlog;
    size_t places_max;
    int64_t since_ns; /* start (monotonic) of the time in which items waited at every admission_pop_paced; 0 =
                         none */
    size_t popped;    /* the number of items popped since then */
    atomic_size_t taken;
    atomic_uint by_connection[FAIR_CONNECTIONS];
    atomic_uint by_address[FAIR_CONNECTIONS][FAIR_ADDRESSES];
};

enum admission_verdict {
    ADMISSION_GRANTED,
    ADMISSION_FULL,    /* no place is free that the source may take */
    ADMISSION_HOPELESS /* at the current pace, the item would spend half of its time in the queue */
};

/* Returns NULL when out of memory. Free the result with free(). */
struct admission *admission_create(size_t places_max);

/*
 * Decides whether the item may enter the queue now. `deadline_ns` is monotonic; 0 means no deadline. An item
 * whose deadline has passed is granted: its client should get DEADLINE_EXCEEDED rather than an overload
 * error.
 */
enum admission_verdict admission_ask(const struct admission *admission, const struct fair_item *item,
                                     int64_t deadline_ns, int64_t now_ns);

/* Fills `error` (may be NULL) with "too many WHAT wait" and returns RESOURCE_EXHAUSTED `OVERLOADED`. */
enum status admission_refuse(const char *what, uint32_t retry_after_ms, struct error *error);

/* Takes a place and queues the item, even if admission_ask was not called or refused it. */
void admission_push(struct admission *admission, struct fair_item *item);

/* Returns the next item, or NULL when the queue is empty. The item keeps its place. */
struct fair_item *admission_pop(struct admission *admission);

/*
 * Like admission_pop, but also measures the pace, from which waits are predicted. Use it for a queue that is
 * served one item at a time.
 */
struct fair_item *admission_pop_paced(struct admission *admission, int64_t now_ns);

/* Releases the place of an item from `source`. Any thread; needs no lock. */
void admission_release(struct admission *admission, uint64_t source);

/*
 * Returns whether a source may take one more of `max` places. Of these, `taken` are in use in total,
 * `by_connection` by its connection and `by_address` by its address. `names_address` says whether the source
 * has an address. Pure.
 */
bool admission_has_room(size_t max, size_t taken, size_t by_connection, bool names_address,
                        size_t by_address);

#endif
