/*
 * SipHash-1-3 with a secret of this process. Keys come from outside: without the secret, an attacker cannot
 * choose keys whose hashes collide.
 */
#ifndef SCREENING_BASE_SIPHASH_H
#define SCREENING_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

/* Generates the secret, unless it exists. Must be called before the first hash. Any thread. */
void siphash_make_secret(void);

/*
 * Returns the hash of `count` words. Unlike SipHash, does not hash the length, so all keys that are compared
 * must have the same length. Any thread.
 */
uint64_t siphash(const uint64_t *words, size_t count);

#endif
