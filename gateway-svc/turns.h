/*
 * Limits the concurrent calls to one service. HTTP clients take turns by address. The last eighth of the
 * places is reserved for addresses that hold fewer places than that eighth, so that slow calls of one client
 * do not delay the others. A call without a place waits, at most until its deadline.
 */
#ifndef SCREENING_GATEWAY_SVC_TURNS_H
#define SCREENING_GATEWAY_SVC_TURNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fair_queue.h"
#include "base/status.h"

struct turns;

/* Embed it in the object that takes a turn. Either `begin` or `give_up` is called, once. */
struct turn {
    struct fair_item item; /* `source` is the client */
    int64_t deadline_ns;   /* monotonic */
    bool waited;           /* set by turns_take if the turn did not begin immediately */
    /*
     * Begins the call. Must not block. For every `begin` there must be one turns_end, from any thread,
     * possibly before `begin` returns. Called on the thread that calls turns_take or turns_end.
     */
    void (*begin)(struct turn *turn);
    /*
     * Gives up the call, because no place became free in time, or because the turns were stopped. Called on
     * the thread that calls turns_take or turns_stop, or on the ticker's thread.
     */
    void (*give_up)(struct turn *turn);
};

/* Starts the ticker. Returns RESOURCE_EXHAUSTED when out of memory or threads. */
MUST_CHECK enum status turns_open(size_t places, struct turns **out, struct error *error);

/*
 * Gives up the waiting turns and all later ones. Every turn that waited has been given up when this returns.
 * Calls that have begun continue. May be repeated.
 */
void turns_stop(struct turns *turns);

/* Frees the turns. Call it after turns_stop, once all begun calls have ended. NULL is allowed. */
void turns_close(struct turns *turns);

/* Begins the turn now or queues it. Any thread. */
void turns_take(struct turns *turns, struct turn *turn);

/* Ends a call of `source` and begins turns that wait for its place. Any thread. */
void turns_end(struct turns *turns, uint64_t source);

#endif
