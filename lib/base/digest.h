/* A short content hash. Pure; any thread. */
#ifndef SCREENING_BASE_DIGEST_H
#define SCREENING_BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

enum { DIGEST_SIZE = 16 };

/* The first 16 bytes of the SHA-256 of `size` bytes: equal contents, equal digests, on every machine and for
 * ever. */
void digest_sha256_128(const void *bytes, size_t size, uint8_t out[DIGEST_SIZE]);

#endif
