/*
 * Verifies the tokens of callers (JSON Web Tokens) by the issuers that a file lists, and remembers verified
 * tokens. docs/issuers.md describes the file and the rules.
 */
#ifndef SCREENING_AUTH_AUTH_H
#define SCREENING_AUTH_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/caller.h"
#include "base/arena.h"
#include "base/status.h"

struct auth;

struct auth_options {
    const char *issuers_path; /* issuers.json; the paths in it are relative to its folder */
    const char *program;      /* the audience that "@program" stands for, such as the name of a service */
};

/*
 * Reads the issuers and their keys. Copies the options. Errors: INVALID_ARGUMENT "issuers: FILE: what is
 * wrong", RESOURCE_EXHAUSTED without memory. The caller releases `out` with auth_close.
 */
MUST_CHECK enum status auth_open(const struct auth_options *options, struct auth **out, struct error *error);

/* No other thread may still use `auth`. NULL is allowed. */
void auth_close(struct auth *auth);

/*
 * Reads the issuers and their keys again, and forgets the remembered tokens whose issuer's entry or key has
 * changed. Fails like auth_open if a file is wrong; then the earlier contents of this file stay in force
 * (auth_issuers_read), and what the other files say counts. A check that runs meanwhile uses either all old
 * or all new issuers; a check that begins after the return uses the new ones. Any thread.
 */
MUST_CHECK enum status auth_reload(struct auth *auth, struct error *error);

/* Returns whether a file could not be read again, so that its earlier contents are in force. Any thread. */
bool auth_is_stale(struct auth *auth);

/*
 * Reloads if issuers.json or a file of keys has changed, and logs the result. Logs a failure once for each
 * change. Call it about once a second, from one thread.
 */
void auth_look_after(struct auth *auth);

/*
 * Verifies the value of an `authorization` header, "Bearer TOKEN", or NULL if there is none. On success
 * *out is the caller, which lives in `arena`. Errors: UNAUTHENTICATED with the reason TOKEN_MISSING,
 * TOKEN_INVALID or TOKEN_EXPIRED, RESOURCE_EXHAUSTED without memory. No message contains a part of the token.
 * Any thread.
 *
 * If `source`, or its entrance, has sent too many tokens whose signatures were verified in vain, a token that
 * is not remembered is refused with RESOURCE_EXHAUSTED TOO_MANY_CALLS and retry_after_ms.
 */
MUST_CHECK enum status auth_check(struct auth *auth, const char *authorization, struct auth_source source,
                                  struct arena *arena, const struct auth_caller **out, struct error *error);

/*
 * Returns whether the token that proved who the caller is would still prove the same: it has not expired, and
 * the entry of its issuer and its key are as they were. Only caller->grant and caller->until_us are used. For
 * a call that takes long. Any thread.
 */
bool auth_still_counts(struct auth *auth, const struct auth_caller *caller);

#endif
