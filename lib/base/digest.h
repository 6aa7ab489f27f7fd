/* A short content hash. Pure; any thread. */
#ifndef SCREENING_BASE_DIGEST_H
#define SCREENING_BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

enum { DIGEST_SIZE = 16 };

/* The first 16 bytes of the SHA-256 of `size` bytes: equal contents, equal digests, on every machine and for
 * ever. */
void digest_sha256_128(const void *bytes, size_t size, uint8_t out[DIGEST_SIZE]);

/* 32 bits that tell texts apart where a chance of mistaking two does little harm; never 0. */
uint32_t digest_text(const char *text);

#endif
