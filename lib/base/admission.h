/*
 * A queue with admission control. It serves items in the order of fair_queue.h, limits the number of places,
 * and refuses items that would wait too long.
 *
 * Places, like turns, are divided among the connections and their addresses. The last eighth of all places is
 * reserved for connections that hold fewer places than that eighth. Of the places open to a connection, the
 * last eighth is reserved for those of its addresses that hold fewer places than that eighth.
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
 * The place counters grow only under the caller's lock and may shrink at any time, so a place found free
 * stays free while the lock is held.
 */
struct admission {
    struct fair_queue queue;
    struct backlog backlog;
    size_t places_max;
    int64_t since_ns; /* start of the current measurement (monotonic); 0 = none */
    size_t popped;    /* number of items popped since `since_ns` */
    atomic_size_t taken;
    atomic_uint by_connection[FAIR_CONNECTIONS];
    atomic_uint by_address[FAIR_CONNECTIONS][FAIR_ADDRESSES];
};

enum admission_verdict {
    ADMISSION_GRANTED,
    ADMISSION_FULL,    /* no free place is available to the source */
    ADMISSION_HOPELESS /* at the current pace, the item would wait for more than half of its remaining time */
};

/* Returns NULL when out of memory. Free the result with free(). */
struct admission *admission_create(size_t places_max);

/*
 * Decides whether the item may enter the queue now. `deadline_ns` is monotonic; 0 means no deadline. An item
 * whose deadline has passed is granted, because its client should get DEADLINE_EXCEEDED rather than an
 * overload error.
 */
enum admission_verdict admission_ask(const struct admission *admission, const struct fair_item *item,
                                     int64_t deadline_ns, int64_t now_ns);

/*
 * Fills `error` (may be NULL) with "too many WHAT wait" and the reason OVERLOADED. Returns
 * RESOURCE_EXHAUSTED.
 */
enum status admission_refuse(const char *what, uint32_t retry_after_ms, struct error *error);

/* Takes a place and queues the item, even if admission_ask refused it or was not called. */
void admission_push(struct admission *admission, struct fair_item *item);

/* Returns the next item, or NULL when the queue is empty. The item keeps its place. */
struct fair_item *admission_pop(struct admission *admission);

/*
 * Like admission_pop, but also measures the pace, from which admission_ask predicts waits. Use it for a queue
 * that is served one item at a time.
 */
struct fair_item *admission_pop_paced(struct admission *admission, int64_t now_ns);

/* Releases the place of a popped item of `source`. Any thread; needs no lock. */
void admission_release(struct admission *admission, uint64_t source);

/*
 * Returns whether a source may take one more of `max` places. `taken` places are in use, of which
 * `by_connection` belong to the source's connection and `by_address` to its address. `names_address` is true
 * if the source has an address. Pure.
 */
bool admission_has_room(size_t max, size_t taken, size_t by_connection, bool names_address,
                        size_t by_address);

#endif
