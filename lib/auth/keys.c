#include "auth/keys.h"

#include <stdlib.h>
#include <string.h>

#include "auth/jwk.h"
#include "base/clock.h"
#include "base/log.h"

/* What messages name. */
struct place {
    const char *path, *issuer;
    size_t index;
    struct error *error;
};

static enum status wrong(const struct place *place, const json_t *key, const char *member, const char *what)
{
    const char *id = auth_jwk_text(key, "kid");
    if (id == NULL)
        return error_invalid(place->error, "issuers: %s: issuer %s: keys[%zu]: %s: %s", place->path,
                             place->issuer, place->index, member, what);
    return error_invalid(place->error, "issuers: %s: issuer %s: key %s: %s: %s", place->path, place->issuer,
                         id, member, what);
}

static bool is_text(const json_t *key, const char *member, const char *text)
{
    const char *found = auth_jwk_text(key, member);
    return found != NULL && strcmp(found, text) == 0;
}

/* Returns whether the key may verify signatures, by its own members. */
static bool is_for_signatures(const json_t *key)
{
    if (json_object_get(key, "use") != NULL && !is_text(key, "use", "sig"))
        return false;
    const json_t *operations = json_object_get(key, "key_ops");
    for (size_t i = 0; i < json_array_size(operations); i++) {
        const char *operation = json_string_value(json_array_get(operations, i));
        if (operation != NULL && strcmp(operation, "verify") == 0)
            return true;
    }
    return operations == NULL;
}

/* Reads the instant after which the key counts no more, which screenctl keys rotate sets. */
static enum status read_end(const struct place *place, const json_t *key, int64_t *end_us)
{
    static const int64_t LATEST_S = INT64_MAX / US_PER_S;
    const json_t *end = json_object_get(key, "exp");
    *end_us = INT64_MAX;
    if (end == NULL)
        return STATUS_OK;
    if (!json_is_integer(end) || json_integer_value(end) < 0)
        return wrong(place, key, "exp", "must be an instant in seconds since 1970");
    if (json_integer_value(end) < LATEST_S)
        *end_us = (int64_t)json_integer_value(end) * US_PER_S;
    return STATUS_OK;
}

/* Computes the digest of the issuer's entry and the key. */
static enum status digest_key(const struct auth_issuer *issuer, struct auth_key *key, struct error *error)
{
    char *text = json_dumps(key->jwk, JSON_COMPACT | JSON_SORT_KEYS);
    const size_t size = text != NULL ? strlen(text) : 0;
    char *both = text != NULL ? malloc(DIGEST_SIZE + size + 1) : NULL;
    if (both != NULL) {
        memcpy(both, issuer->entry, DIGEST_SIZE);
        memcpy(both + DIGEST_SIZE, text, size + 1);
        digest_sha256_128(both, DIGEST_SIZE + size, key->grant);
    }
    free(text);
    free(both);
    return both != NULL ? STATUS_OK : error_no_memory(error);
}

static enum status add_key(const struct place *place, const json_t *key, struct auth_issuer *issuer)
{
    struct auth_jwk_problem problem;
    json_t *jwk;
    enum status status = auth_jwk_public(key, &jwk, &problem);
    if (status == STATUS_INVALID_ARGUMENT)
        return wrong(place, key, problem.member, problem.what);
    if (status != STATUS_OK)
        return error_no_memory(place->error);
    const char *id = auth_jwk_text(jwk, "kid");
    if (auth_issuer_find_key(issuer, id) != NULL) {
        status = wrong(place, key, "kid", "is there twice");
        json_decref(jwk);
        return status;
    }
    struct auth_key *added = &issuer->keys[issuer->key_count++];
    *added = (struct auth_key){.id = id, .algorithm = auth_jwk_text(jwk, "alg"), .jwk = jwk};
    TRY(read_end(place, key, &added->end_us));
    return digest_key(issuer, added, place->error);
}

static enum status read_key(const struct place *place, const json_t *key, struct auth_issuer *issuer)
{
    const char *secret = auth_jwk_secret_member(key);
    if (!json_is_object(key))
        return wrong(place, key, "keys", "must be an array of objects");
    if (secret != NULL)
        return wrong(place, key, secret, "belongs to a private key, and the set must have public keys only");
    if (is_text(key, "kty", "OKP")) {
        log_event(LOG_WARN, "auth.key_skipped", LOG_TEXT("file", place->path),
                  LOG_TEXT("kid", auth_jwk_text(key, "kid")), LOG_TEXT("kty", "OKP"));
        return STATUS_OK;
    }
    return is_for_signatures(key) ? add_key(place, key, issuer) : STATUS_OK;
}

static enum status read_keys(struct place *place, const json_t *set, struct arena *arena,
                             struct auth_issuer *issuer)
{
    const json_t *keys = json_object_get(set, "keys");
    const size_t count = json_array_size(keys);
    if (!json_is_array(keys) || count > AUTH_KEYS_MAX)
        return error_invalid(place->error,
                             "issuers: %s: issuer %s: keys: must be an array of at most %d keys", place->path,
                             place->issuer, AUTH_KEYS_MAX);
    issuer->keys = arena_alloc(arena, (count + 1) * sizeof *issuer->keys);
    if (issuer->keys == NULL)
        return error_no_memory(place->error);
    for (place->index = 0; place->index < count; place->index++)
        TRY(read_key(place, json_array_get(keys, place->index), issuer));
    return STATUS_OK;
}

enum status auth_keys_read(const char *path, struct auth_files *files, struct arena *arena,
                           struct auth_issuer *issuer, struct error *error)
{
    json_t *set;
    TRY(auth_files_read(files, path, &set, error));
    struct place place = {.path = path, .issuer = issuer->name, .error = error};
    enum status status = read_keys(&place, set, arena, issuer);
    json_decref(set);
    return status;
}

enum status auth_keys_keep(const struct auth_issuer *former, struct arena *arena, struct auth_issuer *issuer,
                           struct error *error)
{
    const size_t count = former != NULL ? former->key_count : 0;
    for (size_t i = 0; i < issuer->key_count; i++)
        json_decref(issuer->keys[i].jwk);
    issuer->key_count = 0;
    issuer->keys = arena_alloc(arena, (count + 1) * sizeof *issuer->keys);
    if (issuer->keys == NULL)
        return error_no_memory(error);
    for (size_t i = 0; i < count; i++) {
        struct auth_key *key = &issuer->keys[issuer->key_count++];
        *key = former->keys[i];
        json_incref(key->jwk);
        TRY(digest_key(issuer, key, error));
    }
    return STATUS_OK;
}
