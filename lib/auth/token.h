/* The rules that a token must obey. For lib/auth only. Any thread. */
#ifndef SCREENING_AUTH_TOKEN_H
#define SCREENING_AUTH_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/caller.h"
#include "auth/issuers.h"
#include "base/arena.h"
#include "base/status.h"

/* The difference that the clocks of an issuer and of this host may have. */
enum { AUTH_SKEW_S = 60, AUTH_TOKEN_MAX_BYTES = 8192 };

/*
 * Finds the token in the value of an `authorization` header. Errors: UNAUTHENTICATED TOKEN_MISSING if the
 * value is NULL, TOKEN_INVALID if it has another scheme or is too long.
 */
MUST_CHECK enum status auth_token_find(const char *authorization, const char **token, size_t *length,
                                       struct error *error);

/*
 * Verifies a token at the instant `now_us`. *out lives in the arena; out->until_us is the end of the token,
 * whatever the end of its key. Sets *costly to whether its signature was verified. Errors: UNAUTHENTICATED
 * TOKEN_INVALID or TOKEN_EXPIRED, RESOURCE_EXHAUSTED. Messages contain nothing of the token.
 */
MUST_CHECK enum status auth_token_verify(const struct auth_issuers *issuers, const char *token,
                                         int64_t now_us, struct arena *arena, struct auth_caller *out,
                                         bool *costly, struct error *error);

/* Fails with UNAUTHENTICATED TOKEN_EXPIRED. */
enum status auth_token_expired(struct error *error);

#endif
