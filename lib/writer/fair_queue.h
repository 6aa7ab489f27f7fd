/*
 * Requests in the order in which they are served: those of one source first come, first served, and the
 * sources take turns, one request each. So who sends thousands at once waits behind himself, and the others
 * do not.
 *
 * A source is a number, such as a connection's; sources whose numbers are the same modulo FAIR_SOURCES are
 * taken for one, which bounds the memory. Not for several threads at once.
 */
#ifndef SCREENING_WRITER_FAIR_QUEUE_H
#define SCREENING_WRITER_FAIR_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "writer/writer.h"

enum { FAIR_SOURCES = 256 };

/* What waits of one source. */
struct fair_line {
    struct writer_command *head;
    struct writer_command **tail;
    size_t waiting;
    struct fair_line *next; /* whose turn comes after this one's, while something waits */
};

struct fair_queue {
    struct fair_line lines[FAIR_SOURCES];
    struct fair_line *first, *last; /* those in which something waits, in order of their turns */
    size_t waiting;                 /* in all lines */
    size_t turns;                   /* lines in which something waits */
};

void fair_queue_init(struct fair_queue *queue);

/* Adds a command to its source's line. */
void fair_queue_push(struct fair_queue *queue, struct writer_command *command);

/* The next one; NULL when nothing waits. */
struct writer_command *fair_queue_pop(struct fair_queue *queue);

/* How many at most would be served before a command of `source` that came now. */
size_t fair_queue_ahead(const struct fair_queue *queue, uint32_t source);

#endif
