/* A growable byte array. One owner at a time. */
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

/* Initialises an empty buffer. Allocates nothing yet. */
void buffer_init(struct buffer *buffer);
void buffer_fini(struct buffer *buffer);

/* Empties the buffer but keeps its memory. */
void buffer_reset(struct buffer *buffer);

/* Appends `size` uninitialised bytes and returns a pointer to them, valid until the next call. Returns NULL
 * when out of memory; the buffer is then unchanged. */
uint8_t *buffer_extend(struct buffer *buffer, size_t size);

/*
 * Makes room for one more element in an array that grows by doubling. RESOURCE_EXHAUSTED when out of memory:
 * the array is then unchanged.
 */
MUST_CHECK enum status array_reserve(void *array, size_t *capacity, size_t count, size_t element_size);

#endif
