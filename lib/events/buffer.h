/* Bytes that grow at their end. One owner at a time. */
#ifndef SCREENING_EVENTS_BUFFER_H
#define SCREENING_EVENTS_BUFFER_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct buffer {
    uint8_t *bytes;
    size_t size;
    size_t capacity;
};

/* An empty buffer; allocates nothing yet. */
void buffer_init(struct buffer *buffer);
void buffer_fini(struct buffer *buffer);

/* Forgets the bytes and keeps the memory. */
void buffer_reset(struct buffer *buffer);

/* Adds `size` bytes, not yet written, and returns the first of them, valid until the next call. NULL when out
 * of memory: nothing was added. */
uint8_t *buffer_extend(struct buffer *buffer, size_t size);

/*
 * Makes room for one more element in an array that grows by doubling. RESOURCE_EXHAUSTED when out of memory:
 * the array is as it was.
 */
MUST_CHECK enum status array_reserve(void *array, size_t *capacity, size_t count, size_t element_size);

#endif
