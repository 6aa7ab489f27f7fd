#include "events/buffer.h"

#include <stdlib.h>
#include <string.h>

enum { BUFFER_FIRST_BYTES = 4096, ARRAY_FIRST_ELEMENTS = 64 };

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
        size_t capacity = buffer->capacity > 0 ? buffer->capacity : BUFFER_FIRST_BYTES;
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

enum status array_reserve(void *array, size_t *capacity, size_t count, size_t element_size)
{
    if (count < *capacity)
        return STATUS_OK;
    void *elements;
    memcpy(&elements, array, sizeof elements); /* `array` points to a pointer of any object type */
    size_t wanted = *capacity > 0 ? *capacity * 2 : ARRAY_FIRST_ELEMENTS;
    elements = realloc(elements, wanted * element_size);
    if (elements == NULL)
        return STATUS_RESOURCE_EXHAUSTED;
    memcpy(array, &elements, sizeof elements);
    *capacity = wanted;
    return STATUS_OK;
}
