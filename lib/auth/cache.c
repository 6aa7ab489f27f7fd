/*
 * A token belongs to one of SETS sets, which the code selects. A set keeps WAYS tokens, the one that was used
 * last first. Each lock protects every LOCKS-th set.
 */
#include "auth/cache.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"

enum { WAYS = 4, SETS = AUTH_CACHE_TOKENS / WAYS, LOCKS = 64 };

struct entry {
    uint8_t code[AUTH_CACHE_CODE_SIZE];
    int64_t until_us; /* the end of the token itself */
    int64_t end_us;   /* the end of its key */
    unsigned roles;
    size_t scope_count;
    uint8_t issuer[DIGEST_SIZE], grant[DIGEST_SIZE];
    char subject[AUTH_SUBJECT_MAX + 1];
    struct uuid scope[];
};

struct auth_cache {
    EVP_MAC_CTX *code; /* with the secret; copied for each code */
    _Atomic uint64_t generation;
    pthread_mutex_t locks[LOCKS];
    struct entry *sets[SETS][WAYS]; /* NULLs last */
};

static EVP_MAC_CTX *make_code(void)
{
    uint8_t secret[AUTH_CACHE_CODE_SIZE];
    size_t size = AUTH_CACHE_CODE_SIZE;
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
                                     OSSL_PARAM_construct_end()};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
    EVP_MAC_CTX *context = mac != NULL ? EVP_MAC_CTX_new(mac) : NULL;
    EVP_MAC_free(mac);
    random_fill(secret, sizeof secret);
    if (context != NULL && EVP_MAC_init(context, secret, sizeof secret, parameters) != 1) {
        EVP_MAC_CTX_free(context);
        context = NULL;
    }
    OPENSSL_cleanse(secret, sizeof secret);
    return context;
}

enum status auth_cache_open(struct auth_cache **out, struct error *error)
{
    struct auth_cache *cache = calloc(1, sizeof *cache);
    if (cache == NULL)
        return error_no_memory(error);
    cache->code = make_code();
    if (cache->code == NULL) {
        free(cache);
        return error_set(error, STATUS_INTERNAL, NULL, "OpenSSL provides no SipHash");
    }
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_init(&cache->locks[i], NULL);
    *out = cache;
    return STATUS_OK;
}

void auth_cache_close(struct auth_cache *cache)
{
    if (cache == NULL)
        return;
    for (size_t i = 0; i < SETS; i++)
        for (size_t place = 0; place < WAYS; place++)
            free(cache->sets[i][place]);
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_destroy(&cache->locks[i]);
    EVP_MAC_CTX_free(cache->code);
    free(cache);
}

enum status auth_cache_code(const struct auth_cache *cache, const char *token, size_t length,
                            uint8_t out[AUTH_CACHE_CODE_SIZE], struct error *error)
{
    size_t size = 0;
    EVP_MAC_CTX *context = EVP_MAC_CTX_dup(cache->code);
    const bool done = context != NULL && EVP_MAC_update(context, (const uint8_t *)token, length) == 1 &&
                      EVP_MAC_final(context, out, &size, AUTH_CACHE_CODE_SIZE) == 1 &&
                      size == AUTH_CACHE_CODE_SIZE;
    EVP_MAC_CTX_free(context);
    return done ? STATUS_OK : error_no_memory(error);
}

static size_t set_of(const uint8_t *code)
{
    return (code[0] | (size_t)code[1] << 8) % SETS;
}

/* Moves the entry at `place` to the front of its set. */
static void move_to_front(struct entry **set, size_t place)
{
    struct entry *entry = set[place];
    memmove(set + 1, set, place * sizeof *set);
    set[0] = entry;
}

static struct entry *find(struct entry **set, const uint8_t *code)
{
    for (size_t i = 0; i < WAYS && set[i] != NULL; i++) {
        /* The time of the comparison must not show how much of a code is right. */
        if (CRYPTO_memcmp(set[i]->code, code, AUTH_CACHE_CODE_SIZE) == 0) {
            move_to_front(set, i);
            return set[0];
        }
    }
    return NULL;
}

static enum status copy_out(const struct entry *entry, struct arena *arena, struct auth_caller *out,
                            struct error *error)
{
    const size_t scope_size = entry->scope_count * sizeof entry->scope[0];
    char *subject = arena_strdup(arena, entry->subject);
    struct uuid *scope = scope_size > 0 ? arena_alloc(arena, scope_size) : NULL;
    if (subject == NULL || (scope == NULL && scope_size > 0))
        return error_no_memory(error);
    if (scope_size > 0)
        memcpy(scope, entry->scope, scope_size);
    *out = (struct auth_caller){
        .roles = entry->roles,
        .subject = subject,
        .scope = scope,
        .scope_count = entry->scope_count,
        .until_us = entry->until_us < entry->end_us ? entry->until_us : entry->end_us,
    };
    memcpy(out->issuer, entry->issuer, sizeof out->issuer);
    memcpy(out->grant, entry->grant, sizeof out->grant);
    return STATUS_OK;
}

enum status auth_cache_get(struct auth_cache *cache, const uint8_t code[AUTH_CACHE_CODE_SIZE],
                           struct arena *arena, struct auth_caller *out, bool *found, struct error *error)
{
    const size_t set = set_of(code);
    enum status status = STATUS_OK;
    pthread_mutex_lock(&cache->locks[set % LOCKS]);
    const struct entry *entry = find(cache->sets[set], code);
    if (entry != NULL)
        status = copy_out(entry, arena, out, error);
    *found = entry != NULL;
    pthread_mutex_unlock(&cache->locks[set % LOCKS]);
    return status;
}

uint64_t auth_cache_generation(struct auth_cache *cache)
{
    return atomic_load(&cache->generation);
}

static struct entry *make_entry(const uint8_t *code, const struct auth_caller *caller, int64_t end_us)
{
    const size_t scope_size = caller->scope_count * sizeof caller->scope[0];
    const size_t subject_size = strlen(caller->subject) + 1;
    struct entry *entry = malloc(sizeof *entry + scope_size);
    if (entry == NULL || subject_size > sizeof entry->subject) {
        free(entry);
        return NULL;
    }
    entry->until_us = caller->until_us;
    entry->end_us = end_us;
    entry->roles = caller->roles;
    entry->scope_count = caller->scope_count;
    memcpy(entry->code, code, AUTH_CACHE_CODE_SIZE);
    memcpy(entry->issuer, caller->issuer, sizeof entry->issuer);
    memcpy(entry->grant, caller->grant, sizeof entry->grant);
    memcpy(entry->subject, caller->subject, subject_size);
    if (scope_size > 0)
        memcpy(entry->scope, caller->scope, scope_size);
    return entry;
}

/* Puts the entry at the front of its set. Returns the entry that it replaces, or NULL. */
static struct entry *replace(struct entry **set, struct entry *entry)
{
    const struct entry *same = find(set, entry->code); /* another thread may have verified the token, too */
    size_t place = same != NULL ? 0 : WAYS - 1;
    struct entry *replaced = set[place];
    set[place] = entry;
    move_to_front(set, place);
    return replaced;
}

void auth_cache_put(struct auth_cache *cache, const uint8_t code[AUTH_CACHE_CODE_SIZE],
                    const struct auth_caller *caller, int64_t end_us, uint64_t generation)
{
    const size_t set = set_of(code);
    struct entry *unused = make_entry(code, caller, end_us);
    if (unused == NULL)
        return;
    pthread_mutex_lock(&cache->locks[set % LOCKS]);
    if (atomic_load(&cache->generation) == generation)
        unused = replace(cache->sets[set], unused);
    pthread_mutex_unlock(&cache->locks[set % LOCKS]);
    free(unused);
}

/* Keeps the order of the tokens that remain. */
static void sift_set(struct entry **set, auth_cache_judge_fn judge, const void *context)
{
    size_t kept = 0;
    for (size_t i = 0; i < WAYS && set[i] != NULL; i++) {
        struct entry *entry = set[i];
        set[i] = NULL;
        if (judge(context, entry->grant, &entry->end_us))
            set[kept++] = entry;
        else
            free(entry);
    }
}

void auth_cache_sift(struct auth_cache *cache, auth_cache_judge_fn judge, const void *context)
{
    /* First, so that a token of an earlier generation is either refused or judged below. */
    atomic_fetch_add(&cache->generation, 1);
    for (size_t i = 0; i < SETS; i++) {
        pthread_mutex_lock(&cache->locks[i % LOCKS]);
        sift_set(cache->sets[i], judge, context);
        pthread_mutex_unlock(&cache->locks[i % LOCKS]);
    }
}
