/* A growable byte array. Not thread-safe. */
#ifndef SCREENING_EVENTS_BUFFER_H
#define SCREENING_EVENTS_BUFFER_H

#include <stddef.h>
#include <stdint.h>

struct buffer {
    uint8_t *bytes;
    size_t size;
    size_t capacity;
};

/* Initialises an empty buffer without allocating memory. */
void buffer_init(struct buffer *buffer);
void buffer_fini(struct buffer *buffer);

/* Empties the buffer but keeps its memory. */
void buffer_reset(struct buffer *buffer);

/*
 * Appends `size` uninitialised bytes and returns a pointer to them, valid until the next call of this
 * function or buffer_fini. When out of memory, returns NULL and leaves the buffer unchanged.
 */
uint8_t *buffer_extend(struct buffer *buffer, size_t size);

#endif
