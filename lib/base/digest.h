/* A short content hash. Pure; any thread. */
#ifndef SCREENING_BASE_DIGEST_H
#define SCREENING_BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

enum { DIGEST_SIZE = 16 };

/*
 * Writes the first 16 bytes of the SHA-256 of `size` bytes. The result is stable across machines and
 * releases.
 */
void digest_sha256_128(const void *bytes, size_t size, uint8_t out[DIGEST_SIZE]);

/* Returns a 32-bit hash, never 0, for uses where a collision does little harm. */
uint32_t digest_text(const char *text);

#endif
