/* Makes the tokens with which a service calls other services. */
#ifndef SCREENING_AUTH_SIGNER_H
#define SCREENING_AUTH_SIGNER_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/status.h"

struct auth_signer;

/*
 * A token is valid for AUTH_SERVICE_TOKEN_S and handed out for AUTH_SERVICE_TOKEN_REUSE_S. A new key is used
 * AUTH_KEY_DELAY_S after it was found: those who verify its tokens look for its public key once a second.
 */
enum { AUTH_SERVICE_TOKEN_S = 300, AUTH_SERVICE_TOKEN_REUSE_S = 240, AUTH_KEY_DELAY_S = 5 };

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
 * Reads the key again, uses it at once, and forgets the tokens of the earlier one. Fails like
 * auth_signer_open, and then the earlier key stays in use, and auth_signer_look_after tries again. From the
 * thread of auth_signer_look_after.
 */
MUST_CHECK enum status auth_signer_reload(struct auth_signer *signer, struct error *error);

/*
 * Reads the key again if its file has changed or could not be read before, and uses it AUTH_KEY_DELAY_S
 * later. Logs when it is in use, and a failure once for each change. Call it about once a second, from one
 * thread.
 */
void auth_signer_look_after(struct auth_signer *signer);

/* Returns whether the key could not be read again, so that the earlier one is in use. Any thread. */
bool auth_signer_is_stale(const struct auth_signer *signer);

/*
 * Puts the value of an `authorization` header, "Bearer TOKEN", for calls of the service `audience` into the
 * arena. Signs a new token only if the last one for this audience is older than AUTH_SERVICE_TOKEN_REUSE_S.
 * Errors: INTERNAL, RESOURCE_EXHAUSTED. Any thread.
 */
MUST_CHECK enum status auth_signer_token(struct auth_signer *signer, const char *audience,
                                         struct arena *arena, const char **out, struct error *error);

#endif
