/*
 * The calls to one service: so many at once, and HTTP clients take turns by their addresses. The last eighth
 * of the places is kept for addresses that hold fewer than these are, so that one client's slow calls are its
 * own matter. A call that finds no place waits here, at most until its deadline.
 */
#ifndef GATEWAY_SVC_TURNS_H
#define GATEWAY_SVC_TURNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fair_queue.h"
#include "base/status.h"

struct turns;

/* Embed it in what takes a turn; begin or give_up is called once. */
struct turn {
    struct fair_item item; /* first member; `source` says who asks */
    int64_t deadline_ns;   /* monotonic */
    bool waited;           /* set here: it did not begin at once */
    /* Begins the call, which turns_end must follow sooner or later, from any thread. Must not block. On the
     * thread of turns_take or of a turns_end. */
    void (*begin)(struct turn *turn);
    /* There was no place in time, or the turns were stopped. On the thread of turns_take or turns_stop, or on
     * one of its own. */
    void (*give_up)(struct turn *turn);
};

/* RESOURCE_EXHAUSTED when there is no memory or no thread. */
MUST_CHECK enum status turns_open(size_t places, struct turns **out, struct error *error);

/* Gives up what waits, and whatever comes later. What has begun goes on. */
void turns_stop(struct turns *turns);

/* After turns_stop, when all that had begun has ended. NULL is allowed. */
void turns_close(struct turns *turns);

/* Any thread. */
void turns_take(struct turns *turns, struct turn *turn);

/* One that `source` had begun has ended; begins those that wait for its place. Any thread. */
void turns_end(struct turns *turns, uint64_t source);

#endif
