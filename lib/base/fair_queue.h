/*
 * A queue with two levels of round robin. Connections take turns, one item each. Within a connection, the
 * client addresses named in its requests take turns. The items of one address are served in order of arrival.
 * So a burst of thousands of items delays mainly the caller that sent it, and a connection gains nothing by
 * naming many addresses.
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

/* The turns of a queue's lines or of a line's lanes, in round-robin order. */
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

/* A zeroed queue is empty. It is large: allocate it with calloc, so that only the used part takes memory. */
struct fair_queue {
    struct fair_turns turns; /* of the lines that have waiting items */
    size_t waiting;
    struct fair_line lines[FAIR_CONNECTIONS];
};

/*
 * fair_line_of returns the line of a source, fair_lane_of its lane. Lane 0 is for items that name no address.
 */
size_t fair_line_of(uint64_t source);
size_t fair_lane_of(uint64_t source);

void fair_queue_push(struct fair_queue *queue, struct fair_item *item);

/* Returns the next item, or NULL when the queue is empty. */
struct fair_item *fair_queue_pop(struct fair_queue *queue);

/*
 * Like fair_queue_pop, but skips connections for which `may` returns false. Calls `may` at most once per
 * waiting connection. Returns NULL if `may` refuses all of them. No source in the queue may name an address.
 */
struct fair_item *fair_queue_pop_if(struct fair_queue *queue, bool (*may)(void *context, uint64_t source),
                                    void *context);

/* Returns an upper bound on the number of items that are served before a new item of `source`. */
size_t fair_queue_ahead(const struct fair_queue *queue, uint64_t source);

#endif
