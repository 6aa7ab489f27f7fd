/* A private key, read from a file, and the tokens that it signs. */
#ifndef SCREENING_AUTH_PRIVATE_KEY_H
#define SCREENING_AUTH_PRIVATE_KEY_H

#include <jansson.h>

#include "base/arena.h"
#include "base/status.h"

struct auth_private_key;

/*
 * Reads a private JWK (EC P-256, or RSA of 2048 to 8192 bits) with a `kid` from a file that only its owner
 * may read, and checks that its public part belongs to it. Errors: INVALID_ARGUMENT "SETTING: PATH: what is
 * wrong", RESOURCE_EXHAUSTED. The caller releases *out with auth_private_key_close. Any thread.
 */
MUST_CHECK enum status auth_private_key_open(const char *setting, const char *path,
                                             struct auth_private_key **out, struct error *error);

/* NULL is allowed. */
void auth_private_key_close(struct auth_private_key *key);

/*
 * Signs `claims`, a JSON object. Puts the token, without "Bearer", into the arena. Errors: INTERNAL,
 * RESOURCE_EXHAUSTED. Any thread.
 */
MUST_CHECK enum status auth_private_key_sign(const struct auth_private_key *key, const json_t *claims,
                                             struct arena *arena, const char **out, struct error *error);

#endif
