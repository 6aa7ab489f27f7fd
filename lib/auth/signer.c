#include "auth/signer.h"

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "auth/files.h"
#include "auth/private_key.h"
#include "base/array.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/uuid.h"

static struct metric stale_keys = METRIC(
    "auth_key_stale", "1 while the file of the service's own signing key cannot be read again, so that "
                      "the earlier key is in use, otherwise 0");

/* A signed token. */
struct signed_token {
    char *audience;
    char *authorization; /* NULL = none yet */
    int64_t made_us;
};

struct auth_signer {
    char *path, *subject;
    /* Of the thread that looks after the file. */
    struct auth_files file;
    struct auth_private_key *next; /* NULL, or a key that is not used yet */
    int64_t next_found_us;
    atomic_bool stale;    /* whether the file could not be read; written by that thread only */
    pthread_mutex_t lock; /* protects the rest, and is held while a token is signed */
    struct auth_private_key *key;
    struct signed_token *tokens; /* one for each audience; a service calls few others */
    size_t count, capacity;
};

/* Notes the state of the file and then reads it. Notes the outcome. */
static enum status read_key(struct auth_signer *signer, struct auth_private_key **out, struct error *error)
{
    auth_files_fini(&signer->file);
    enum status status = auth_files_note(&signer->file, signer->path, error);
    if (status == STATUS_OK)
        status = auth_private_key_open("token-key", signer->path, out, error);
    atomic_store(&signer->stale, status != STATUS_OK);
    metric_set(&stale_keys, status != STATUS_OK);
    return status;
}

enum status auth_signer_open(const char *key_path, const char *subject, struct auth_signer **out,
                             struct error *error)
{
    struct auth_signer *signer = calloc(1, sizeof *signer);
    if (signer == NULL)
        return error_no_memory(error);
    *signer = (struct auth_signer){
        .path = strdup(key_path), .subject = strdup(subject), .lock = PTHREAD_MUTEX_INITIALIZER};
    metric_register(&stale_keys);
    enum status status = signer->path == NULL || signer->subject == NULL
                             ? error_no_memory(error)
                             : read_key(signer, &signer->key, error);
    if (status == STATUS_OK)
        *out = signer;
    else
        auth_signer_close(signer);
    return status;
}

static void forget_tokens(struct auth_signer *signer)
{
    for (size_t i = 0; i < signer->count; i++) {
        free(signer->tokens[i].audience);
        free(signer->tokens[i].authorization);
    }
    signer->count = 0;
}

void auth_signer_close(struct auth_signer *signer)
{
    if (signer == NULL)
        return;
    forget_tokens(signer);
    free(signer->tokens);
    free(signer->path);
    free(signer->subject);
    pthread_mutex_destroy(&signer->lock);
    auth_files_fini(&signer->file);
    auth_private_key_close(signer->next);
    auth_private_key_close(signer->key);
    free(signer);
}

/* ---- a new key ---- */

/* Takes ownership of the key. */
static void use(struct auth_signer *signer, struct auth_private_key *key)
{
    pthread_mutex_lock(&signer->lock);
    struct auth_private_key *former = signer->key;
    signer->key = key;
    forget_tokens(signer);
    pthread_mutex_unlock(&signer->lock);
    auth_private_key_close(former);
}

static void drop_next(struct auth_signer *signer)
{
    auth_private_key_close(signer->next);
    signer->next = NULL;
}

enum status auth_signer_reload(struct auth_signer *signer, struct error *error)
{
    struct auth_private_key *key;
    drop_next(signer);
    TRY(read_key(signer, &key, error));
    use(signer, key);
    return STATUS_OK;
}

/* Reads the key that is to be used next, if the file has changed, or if it could not be read before. */
static void look_for_next(struct auth_signer *signer, int64_t now_us)
{
    struct error error;
    const bool changed = auth_files_changed(&signer->file);
    if (!changed && !auth_signer_is_stale(signer))
        return;
    drop_next(signer);
    if (read_key(signer, &signer->next, &error) != STATUS_OK && changed)
        log_event(LOG_ERROR, "auth.key_reload_failed", LOG_TEXT("error", error.message));
    signer->next_found_us = now_us;
}

void auth_signer_look_after(struct auth_signer *signer)
{
    static const int64_t DELAY_US = (int64_t)AUTH_KEY_DELAY_S * US_PER_S;
    const int64_t now_us = clock_now_us();
    look_for_next(signer, now_us);
    /* A clock that was set back ends the delay. */
    if (signer->next == NULL ||
        (now_us >= signer->next_found_us && now_us < signer->next_found_us + DELAY_US))
        return;
    use(signer, signer->next);
    signer->next = NULL;
    log_event(LOG_INFO, "auth.key_reloaded", LOG_TEXT("file", signer->path));
}

bool auth_signer_is_stale(const struct auth_signer *signer)
{
    return atomic_load(&signer->stale);
}

/* ---- tokens ---- */

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
