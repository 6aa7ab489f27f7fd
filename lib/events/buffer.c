#include "events/buffer.h"

#include <stdlib.h>

#include "base/array.h"

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
    /* Reserve one extra byte, so that even an empty buffer has a valid pointer. */
    if (array_reserve(&buffer->bytes, &buffer->capacity, buffer->size + size + 1) != STATUS_OK)
        return NULL;
    uint8_t *at = buffer->bytes + buffer->size;
    buffer->size += size;
    return at;
}
