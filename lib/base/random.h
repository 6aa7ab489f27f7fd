/* Provides random bytes from the kernel. Any thread. */
#ifndef SCREENING_BASE_RANDOM_H
#define SCREENING_BASE_RANDOM_H

#include <stddef.h>

enum { RANDOM_MAX_BYTES = 256 };

/*
 * Writes `size` random bytes, at most RANDOM_MAX_BYTES. Small sizes are cheap, because one system call
 * fetches the bytes for many calls by the same thread.
 */
void random_fill(void *out, size_t size);

#endif
