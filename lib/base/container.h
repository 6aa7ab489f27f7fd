/* Finds the struct that contains an embedded member. */
#ifndef SCREENING_BASE_CONTAINER_H
#define SCREENING_BASE_CONTAINER_H

#include <stddef.h>

/*
 * Returns the struct of type `type` whose `member` is at `pointer`, or NULL if `pointer` is NULL. Evaluates
 * `pointer` once. The compiler rejects a pointer to a type other than the member's, but accepts any `void *`,
 * such as the context of a callback.
 */
#define container_of(pointer, type, member)                                                                  \
    ((type *)container_start((1 ? (pointer) : &((type *)NULL)->member), offsetof(type, member)))

/* Use container_of instead. */
static inline void *container_start(const void *member, size_t offset)
{
    return member != NULL ? (char *)member - offset : NULL;
}

#endif
