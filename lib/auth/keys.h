/* Reads a JWK set (RFC 7517) of public keys. For lib/auth only. */
#ifndef SCREENING_AUTH_KEYS_H
#define SCREENING_AUTH_KEYS_H

#include "auth/issuers.h"

/*
 * Reads the set at `path` into the issuer's keys, which live in `arena`; the issuer also owns a reference to
 * the JSON of each key. Skips keys that cannot sign tokens: those of type OKP (logged), and those for another
 * use. A set without keys is allowed, because an operator may have to withdraw the only key. Errors:
 * INVALID_ARGUMENT "issuers: PATH: issuer NAME: key KID: what is wrong", RESOURCE_EXHAUSTED. Releases nothing
 * on failure.
 */
MUST_CHECK enum status auth_keys_read(const char *path, struct auth_files *files, struct arena *arena,
                                      struct auth_issuer *issuer, struct error *error);

/*
 * Gives the issuer the keys of `former` instead of its own; none if `former` is NULL. They live like those
 * that auth_keys_read reads. The only error is RESOURCE_EXHAUSTED.
 */
MUST_CHECK enum status auth_keys_keep(const struct auth_issuer *former, struct arena *arena,
                                      struct auth_issuer *issuer, struct error *error);

#endif
