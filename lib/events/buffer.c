#include "events/buffer.h"

#include <stdlib.h>

enum { FIRST_BYTES = 4096 };

void buffer_init(struct buffer *buffer)
{
    *buffer = (struct buffer){0};
}

void buffer_fini(struct buffer *buffer)
{
    free(buffer->bytes);
    buffer_init(buffer);
}

void buffer_reset(struct buffer *buffer)
{
    buffer->size = 0;
}

uint8_t *buffer_extend(struct buffer *buffer, size_t size)
{
    size_t wanted = buffer->size + size;
    if (wanted > buffer->capacity || buffer->bytes == NULL) {
        size_t capacity = buffer->capacity > 0 ? buffer->capacity : FIRST_BYTES;
        while (capacity < wanted)
            capacity *= 2;
        uint8_t *bytes = realloc(buffer->bytes, capacity);
        if (bytes == NULL)
            return NULL;
        buffer->bytes = bytes;
        buffer->capacity = capacity;
    }
    uint8_t *at = buffer->bytes + buffer->size;
    buffer->size = wanted;
    return at;
}
