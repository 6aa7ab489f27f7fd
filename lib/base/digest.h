/* Computes short content hashes. Any thread. */
#ifndef SCREENING_BASE_DIGEST_H
#define SCREENING_BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

enum { DIGEST_SIZE = 16 };

/*
 * Writes the first 16 bytes of the SHA-256 of `size` bytes. The result is the same on all machines and in all
 * releases.
 */
void digest_sha256_128(const void *bytes, size_t size, uint8_t out[DIGEST_SIZE]);

/*
 * Returns a number, never 0, for a network address as text, of which the first 64 bytes count. It depends on
 * a secret of this process, so that a client cannot choose an address that shares a line with a given other
 * one. Addresses that differ only in the number at their end get numbers with the same difference: neighbours
 * do not share a line.
 */
uint32_t digest_address(const char *address);

#endif
