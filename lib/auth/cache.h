/*
 * Remembers verified tokens, so that a token's signature is verified once and not for every call. For
 * lib/auth only.
 *
 * The cache contains the codes of tokens instead of the tokens: 128-bit SipHash with a secret of this cache.
 * An attacker who does not know the secret cannot make a second token with the same code. (SHA-256 would
 * serve as well but takes four times as many instructions.)
 *
 * The number of tokens is bounded. A new token displaces the one that was not used for the longest time among
 * the few that share its place.
 */
#ifndef SCREENING_AUTH_CACHE_H
#define SCREENING_AUTH_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/token.h"

enum { AUTH_CACHE_TOKENS = 16384, AUTH_CACHE_CODE_SIZE = 16 };

struct auth_cache;

/* Errors: INTERNAL if OpenSSL has no SipHash, RESOURCE_EXHAUSTED. */
MUST_CHECK enum status auth_cache_open(struct auth_cache **out, struct error *error);

/* NULL is allowed. */
void auth_cache_close(struct auth_cache *cache);

/* Computes the code of a token. The only error is RESOURCE_EXHAUSTED. Any thread. */
MUST_CHECK enum status auth_cache_code(const struct auth_cache *cache, const char *token, size_t length,
                                       uint8_t out[AUTH_CACHE_CODE_SIZE], struct error *error);

/*
 * Sets *found to whether the token is remembered, and then copies what it says into `out` and the arena. It
 * may have expired. The only error is RESOURCE_EXHAUSTED. Any thread.
 */
MUST_CHECK enum status auth_cache_get(struct auth_cache *cache, const uint8_t code[AUTH_CACHE_CODE_SIZE],
                                      struct arena *arena, struct auth_caller *out, bool *found,
                                      struct error *error);

/*
 * Returns the number of times that the cache was sifted. Ask for it before the issuers are read that verify a
 * token. Any thread.
 */
uint64_t auth_cache_generation(struct auth_cache *cache);

/*
 * Remembers a verified token, unless the cache was sifted since `generation`, because other issuers may have
 * verified it, or memory is short. caller->until_us is the end of the token itself, and `end_us` that of its
 * key; auth_cache_get returns the earlier one. Any thread.
 */
void auth_cache_put(struct auth_cache *cache, const uint8_t code[AUTH_CACHE_CODE_SIZE],
                    const struct auth_caller *caller, int64_t end_us, uint64_t generation);

/* Returns whether tokens of the grant (struct auth_caller) count, and sets *end_us to the end of their key.
 */
typedef bool (*auth_cache_judge_fn)(const void *context, const uint8_t grant[DIGEST_SIZE], int64_t *end_us);

/*
 * Forgets the tokens whose grant does not count any more, and sets the ends of the keys of the others. Call
 * it after the issuers were replaced. `judge` must not use the cache. Any thread.
 */
void auth_cache_sift(struct auth_cache *cache, auth_cache_judge_fn judge, const void *context);

#endif
