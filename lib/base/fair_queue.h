/*
 * Items in the order in which they are served. Connections take turns, one item each; within a connection the
 * addresses that it speaks for take turns; the items of one address are served first come, first served. So a
 * caller that sends thousands at once waits behind itself, and one connection gains nothing by naming many
 * addresses.
 *
 * A source is a number: the connection in the low 32 bits, the address in the high ones, 0 = none named.
 * Connections that are equal modulo FAIR_CONNECTIONS count as one, and so do addresses of one connection that
 * are equal modulo FAIR_ADDRESSES - 1: that bounds the memory. Not for several threads at once.
 */
#ifndef SCREENING_BASE_FAIR_QUEUE_H
#define SCREENING_BASE_FAIR_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FAIR_CONNECTIONS = 256, FAIR_ADDRESSES = 128 };

/* Embed it in what waits. */
struct fair_item {
    struct fair_item *next; /* the queue's own */
    uint64_t source;
};

/* Somebody's place in the order of turns. */
struct fair_turn {
    struct fair_turn *next;
};

struct fair_turns {
    struct fair_turn *first, *last;
    size_t count;
};

/* What waits of one address. */
struct fair_lane {
    struct fair_turn turn; /* first member */
    struct fair_item *head, *tail;
    size_t waiting;
};

/* What waits of one connection. */
struct fair_line {
    struct fair_turn turn; /* first member */
    struct fair_turns turns;
    size_t waiting;
    struct fair_lane lanes[FAIR_ADDRESSES];
};

/* Large, and empty when all zero: allocate it with calloc, then only the part in use takes memory. */
struct fair_queue {
    struct fair_turns turns; /* of the lines in which something waits */
    size_t waiting;
    struct fair_line lines[FAIR_CONNECTIONS];
};

/* Where the source is counted; the lane 0 is for items that name no address. */
size_t fair_line_of(uint64_t source);
size_t fair_lane_of(uint64_t source);

void fair_queue_push(struct fair_queue *queue, struct fair_item *item);

/* The next one; NULL when nothing waits. */
struct fair_item *fair_queue_pop(struct fair_queue *queue);

/* The next one whose source `may` be served now, of those whose connections have a turn each; NULL if there
 * is none. For sources that name no address. */
struct fair_item *fair_queue_pop_if(struct fair_queue *queue, bool (*may)(void *context, uint64_t source),
                                    void *context);

/* How many at most would be served before an item of `source` that came now. */
size_t fair_queue_ahead(const struct fair_queue *queue, uint64_t source);

#endif
