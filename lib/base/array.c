#include "base/array.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_BYTES = 1024 };

enum status array_grow(void *array, size_t *capacity, size_t count, size_t element_size)
{
    if (count <= *capacity)
        return STATUS_OK;
    void *elements;
    memcpy(&elements, array, sizeof elements); /* `array` points to a pointer of any object type */
    size_t wanted = *capacity > 0 ? *capacity * 2 : FIRST_BYTES / element_size;
    if (wanted < count)
        wanted = count;
    elements = reallocarray(elements, wanted, element_size);
    if (elements == NULL)
        return STATUS_RESOURCE_EXHAUSTED;
    memcpy(array, &elements, sizeof elements);
    *capacity = wanted;
    return STATUS_OK;
}
