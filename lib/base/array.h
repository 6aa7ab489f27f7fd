/* Arrays that grow by doubling. One owner at a time. */
#ifndef SCREENING_BASE_ARRAY_H
#define SCREENING_BASE_ARRAY_H

#include <stddef.h>

#include "base/status.h"

/*
 * Makes room for `count` elements. `array` points to the pointer to the elements (NULL at first), and
 * `capacity` to the number of elements that fit. When out of memory, returns RESOURCE_EXHAUSTED and leaves
 * the array unchanged.
 */
#define array_reserve(array, capacity, count) array_grow((array), (capacity), (count), sizeof **(array))

/* For array_reserve only. */
MUST_CHECK enum status array_grow(void *array, size_t *capacity, size_t count, size_t element_size);

#endif
