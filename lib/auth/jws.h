/*
 * JSON Web Signatures in compact form, HEADER.PAYLOAD.SIGNATURE, by libjose. Any thread.
 *
 * libjose checks the signature, but callers must not rely on it for anything else. Versions 11 and 14 accept
 * an "alg" in the header that differs from the key's if it comes later in the alphabet (RS512 for a key of
 * RS256), take "alg" also from the header that is not signed, accept an object if one of several signatures
 * is right, and use a key on P-384 for ES256. Therefore this module builds the object that libjose verifies
 * from the three parts, token.c compares the algorithms, and keys.c accepts only one curve.
 */
#ifndef SCREENING_AUTH_JWS_H
#define SCREENING_AUTH_JWS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/status.h"

/* The parts, in base64url, within the token. */
struct auth_jws {
    const char *header, *payload, *signature;
    size_t header_length, payload_length, signature_length;
};

/* Finds the three parts of a text that ends with NUL. Returns false unless it has exactly three. */
bool auth_jws_split(const char *token, struct auth_jws *out);

/*
 * Decodes a part that is a JSON object. Sets *out to NULL if it is anything else: not base64url, with
 * padding, not UTF-8, with a member twice, with a number that does not fit. The caller owns the object. The
 * only error is RESOURCE_EXHAUSTED.
 */
MUST_CHECK enum status auth_jws_decode(const char *part, size_t length, struct arena *arena, json_t **out,
                                       struct error *error);

/*
 * Sets *genuine to whether the signature is that of `jwk`, a single public key, with the algorithm that the
 * header names. The only error is RESOURCE_EXHAUSTED.
 */
MUST_CHECK enum status auth_jws_verify(const struct auth_jws *jws, const json_t *jwk, bool *genuine,
                                       struct error *error);

/*
 * Signs `claims` with `jwk`, a private key with the members "alg" and "kid". Puts the token into the arena.
 * Errors: INTERNAL, RESOURCE_EXHAUSTED.
 */
MUST_CHECK enum status auth_jws_sign(const json_t *claims, const json_t *jwk, struct arena *arena,
                                     const char **out, struct error *error);

/* Returns whether libjose and OpenSSL accept `jwk` as a key of kty EC or RSA, and its size in *bits. */
bool auth_jws_key_is_sound(const json_t *jwk, int *bits);

#endif
