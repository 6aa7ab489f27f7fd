/*
 * Keys that sign tokens: private JWKs for ES256 with their key id, and JWK sets of their public halves. A
 * public key that a newer one has replaced stays in the set until its last token has expired; its member
 * "exp" is this instant, in seconds since 1970-01-01 UTC. Any thread.
 */
#ifndef SCREENING_CLI_SIGNING_KEY_H
#define SCREENING_CLI_SIGNING_KEY_H

#include <jansson.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

/*
 * Makes a new private key. Returns NULL if the system has no memory or no randomness. The caller owns it.
 */
json_t *signing_key_make(void);

/* Returns a new copy of the key without its private part, or NULL when out of memory. */
json_t *signing_key_public(const json_t *key);

/* Returns the key id, or "" if there is none. */
const char *signing_key_id(const json_t *key);

/* Writes the document with mode FILE_MODE_SECRET if `secret`, else FILE_MODE_PUBLIC. Fails like file_replace.
 */
MUST_CHECK enum status signing_key_write(const char *path, const json_t *document, bool secret,
                                         struct error *error);

/*
 * Reads a JWK set. Fails like file_read, also with FAILED_PRECONDITION "PATH: ..." unless it is a set of
 * public keys that have ids. The caller owns *out.
 */
MUST_CHECK enum status signing_set_read(struct arena *arena, const char *path, json_t **out,
                                        struct error *error);

/* Returns the instant from which the key is not needed, or 0 if it is in use. */
int64_t signing_key_end_s(const json_t *key);

#endif
