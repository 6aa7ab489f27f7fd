/*
 * A queue with two levels of round robin. Connections take turns, one item each. Within a connection, the
 * addresses that it speaks for take turns. The items of one address are served first come, first served. A
 * caller that sends thousands of items in a burst therefore waits for its own items, and a connection gains
 * nothing by naming many addresses.
 *
 * A source is a number: the connection in the low 32 bits, the address in the high 32 bits (0 = none). To
 * bound the memory, connections that are equal modulo FAIR_CONNECTIONS count as one, and so do addresses of
 * one connection that are equal modulo FAIR_ADDRESSES - 1. Not thread-safe.
 */
#ifndef SCREENING_BASE_FAIR_QUEUE_H
#define SCREENING_BASE_FAIR_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/queue.h"

enum { FAIR_CONNECTIONS = 256, FAIR_ADDRESSES = 128 };

/* Embed it in the object that waits. */
struct fair_item {
    struct queue_node node;
    uint64_t source;
};

/* The round robin of lines or lanes. */
struct fair_turns {
    struct queue queue;
    size_t count;
};

/* The waiting items of one address. */
struct fair_lane {
    struct queue_node turn;
    struct queue items;
    size_t waiting;
};

/* The waiting items of one connection. */
struct fair_line {
    struct queue_node turn;
    struct fair_turns turns;
    size_t waiting;
    struct fair_lane lanes[FAIR_ADDRESSES];
};

/* Large, and empty when all zero. Allocate it with calloc, so that only the used part takes memory. */
struct fair_queue {
    struct fair_turns turns; /* of the lines that have waiting items */
    size_t waiting;
    struct fair_line lines[FAIR_CONNECTIONS];
};

/* Return the line and the lane of a source. Lane 0 is for items that name no address. */
size_t fair_line_of(uint64_t source);
size_t fair_lane_of(uint64_t source);

void fair_queue_push(struct fair_queue *queue, struct fair_item *item);

/* Returns the next item, or NULL when the queue is empty. */
struct fair_item *fair_queue_pop(struct fair_queue *queue);

/*
 * Returns the first item, in order of turns, whose source `may` be served now, or NULL if there is none.
 * Calls `may` once per waiting connection. For sources that name no address.
 */
struct fair_item *fair_queue_pop_if(struct fair_queue *queue, bool (*may)(void *context, uint64_t source),
                                    void *context);

/* Returns the largest number of items that could be served before a new item of `source`. */
size_t fair_queue_ahead(const struct fair_queue *queue, uint64_t source);

#endif
