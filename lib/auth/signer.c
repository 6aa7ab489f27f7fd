#include "auth/signer.h"

#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "auth/private_key.h"
#include "base/array.h"
#include "base/clock.h"
#include "base/uuid.h"

/* A signed token. */
struct signed_token {
    char *audience;
    char *authorization; /* NULL = none yet */
    int64_t made_us;
};

struct auth_signer {
    struct auth_private_key *key;
    char *subject;
    pthread_mutex_t lock;        /* protects the rest, and is held while a token is signed */
    struct signed_token *tokens; /* one for each audience; a service calls few others */
    size_t count, capacity;
};

enum status auth_signer_open(const char *key_path, const char *subject, struct auth_signer **out,
                             struct error *error)
{
    struct auth_private_key *key;
    TRY(auth_private_key_open("token-key", key_path, &key, error));
    struct auth_signer *signer = calloc(1, sizeof *signer);
    char *copy = strdup(subject);
    if (signer == NULL || copy == NULL) {
        auth_private_key_close(key);
        free(signer);
        free(copy);
        return error_no_memory(error);
    }
    *signer = (struct auth_signer){.key = key, .subject = copy, .lock = PTHREAD_MUTEX_INITIALIZER};
    *out = signer;
    return STATUS_OK;
}

void auth_signer_close(struct auth_signer *signer)
{
    if (signer == NULL)
        return;
    for (size_t i = 0; i < signer->count; i++) {
        free(signer->tokens[i].audience);
        free(signer->tokens[i].authorization);
    }
    free(signer->tokens);
    free(signer->subject);
    pthread_mutex_destroy(&signer->lock);
    auth_private_key_close(signer->key);
    free(signer);
}

static enum status find(struct auth_signer *signer, const char *audience, struct signed_token **out,
                        struct error *error)
{
    for (size_t i = 0; i < signer->count; i++) {
        if (strcmp(signer->tokens[i].audience, audience) == 0) {
            *out = &signer->tokens[i];
            return STATUS_OK;
        }
    }
    char *copy = strdup(audience);
    if (copy == NULL || array_reserve(&signer->tokens, &signer->capacity, signer->count + 1) != STATUS_OK) {
        free(copy);
        return error_no_memory(error);
    }
    signer->tokens[signer->count] = (struct signed_token){.audience = copy};
    *out = &signer->tokens[signer->count++];
    return STATUS_OK;
}

static enum status sign(const struct auth_signer *signer, struct signed_token *token, int64_t now_us,
                        struct arena *arena, struct error *error)
{
    char id[UUID_TEXT_SIZE];
    const struct uuid unique = uuid_v4();
    const json_int_t now_s = now_us / US_PER_S;
    const char *text;
    json_t *claims = json_pack("{s:s,s:s,s:s,s:I,s:I,s:s}", "iss", signer->subject, "sub", signer->subject,
                               "aud", token->audience, "iat", now_s, "exp", now_s + AUTH_SERVICE_TOKEN_S,
                               "jti", uuid_format(&unique, id));
    if (claims == NULL)
        return error_no_memory(error);
    enum status status = auth_private_key_sign(signer->key, claims, arena, &text, error);
    json_decref(claims);
    if (status != STATUS_OK)
        return status;
    const char *authorization = arena_printf(arena, "Bearer %s", text);
    char *copy = authorization != NULL ? strdup(authorization) : NULL;
    if (copy == NULL)
        return error_no_memory(error);
    free(token->authorization);
    token->authorization = copy;
    token->made_us = now_us;
    return STATUS_OK;
}

/* Returns whether the token can still be handed out. A clock that was set back makes it too new. */
static bool is_fresh(const struct signed_token *token, int64_t now_us)
{
    static const int64_t REUSE_US = (int64_t)AUTH_SERVICE_TOKEN_REUSE_S * US_PER_S;
    return token->authorization != NULL && now_us >= token->made_us && now_us < token->made_us + REUSE_US;
}

static enum status take(struct auth_signer *signer, const char *audience, struct arena *arena,
                        const char **out, struct error *error)
{
    struct signed_token *token;
    const int64_t now_us = clock_now_us();
    TRY(find(signer, audience, &token, error));
    if (!is_fresh(token, now_us))
        TRY(sign(signer, token, now_us, arena, error));
    *out = arena_strdup(arena, token->authorization);
    return *out != NULL ? STATUS_OK : error_no_memory(error);
}

enum status auth_signer_token(struct auth_signer *signer, const char *audience, struct arena *arena,
                              const char **out, struct error *error)
{
    pthread_mutex_lock(&signer->lock);
    enum status status = take(signer, audience, arena, out, error);
    pthread_mutex_unlock(&signer->lock);
    return status;
}
