/* Single keys in JSON (RFC 7517). For lib/auth and screenctl. Any thread. */
#ifndef SCREENING_AUTH_JWK_H
#define SCREENING_AUTH_JWK_H

#include <jansson.h>

#include "base/status.h"

enum { AUTH_KEY_ID_MAX = 128 };

/* Why a key cannot be used: the member, and what is wrong with it. Static texts. */
struct auth_jwk_problem {
    const char *member, *what;
};

/*
 * Makes a key that can verify signatures. Takes from `key` only the members that define a public key, so that
 * libjose sees no other, and "kid", and adds "alg": ES256 for a key on P-256, RS256 for an RSA key of 2048 to
 * 8192 bits. The caller owns *out. Errors: INVALID_ARGUMENT (*problem says why), RESOURCE_EXHAUSTED.
 */
MUST_CHECK enum status auth_jwk_public(const json_t *key, json_t **out, struct auth_jwk_problem *problem);

/*
 * Makes a key that can sign, in the same way. Also fails if the private part does not belong to the public
 * part.
 */
MUST_CHECK enum status auth_jwk_private(const json_t *key, json_t **out, struct auth_jwk_problem *problem);

/* Returns the text of a member, or NULL if the object has no such member or if it is not a text. */
const char *auth_jwk_text(const json_t *object, const char *member);

/* Returns the first member of `key` that belongs to a private or a symmetric key, or NULL. */
const char *auth_jwk_secret_member(const json_t *key);

#endif
