/* Makes the tokens with which a service calls other services. */
#ifndef SCREENING_AUTH_SIGNER_H
#define SCREENING_AUTH_SIGNER_H

#include "base/arena.h"
#include "base/status.h"

struct auth_signer;

/* A token is valid for AUTH_SERVICE_TOKEN_S and handed out for AUTH_SERVICE_TOKEN_REUSE_S. */
enum { AUTH_SERVICE_TOKEN_S = 300, AUTH_SERVICE_TOKEN_REUSE_S = 240 };

/*
 * Reads the private key (private_key.h). `subject` is the issuer and the subject of the tokens, such as
 * "booking-svc"; copied. Errors: INVALID_ARGUMENT "token-key: PATH: what is wrong", RESOURCE_EXHAUSTED. The
 * caller releases *out with auth_signer_close.
 */
MUST_CHECK enum status auth_signer_open(const char *key_path, const char *subject, struct auth_signer **out,
                                        struct error *error);

/* No other thread may still use the signer. NULL is allowed. */
void auth_signer_close(struct auth_signer *signer);

/*
 * Puts the value of an `authorization` header, "Bearer TOKEN", for calls of the service `audience` into the
 * arena. Signs a new token only if the last one for this audience is older than AUTH_SERVICE_TOKEN_REUSE_S.
 * Errors: INTERNAL, RESOURCE_EXHAUSTED. Any thread.
 */
MUST_CHECK enum status auth_signer_token(struct auth_signer *signer, const char *audience,
                                         struct arena *arena, const char **out, struct error *error);

#endif
