/*
 * A reload reads the new issuers without the lock `lock`, and then replaces the pointer to them. A check
 * counts itself as a user of the issuers that it found, so that they live until its end.
 *
 * Lock order: reload_lock, lock. No lock is held while a signature is verified.
 */
#include "auth/auth.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "auth/attempts.h"
#include "auth/cache.h"
#include "auth/files.h"
#include "auth/issuers.h"
#include "auth/token.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"

#include "screening/v1/words.h"

static struct metric verified = METRIC(
    "auth_tokens_verified_total", "Tokens whose signature was verified, because they were not remembered.");

static struct metric stale =
    METRIC("auth_issuers_stale",
           "Files of issuers and keys that could not be read again, so that their earlier contents count");

struct shared_issuers {
    struct auth_issuers *issuers;
    size_t users; /* the checks that use them, and one more while they are in force */
};

struct auth {
    char *issuers_path, *program;
    pthread_mutex_t reload_lock; /* one reload at a time; protects `files` */
    struct auth_files files;     /* as they were before they were last read, with success or not */
    pthread_mutex_t lock;        /* protects `in_force` and the number of its users */
    struct shared_issuers *in_force;
    struct auth_cache *cache;
    struct auth_attempts *attempts;
};

static struct shared_issuers *take_issuers(struct auth *auth)
{
    pthread_mutex_lock(&auth->lock);
    struct shared_issuers *issuers = auth->in_force;
    issuers->users++;
    pthread_mutex_unlock(&auth->lock);
    return issuers;
}

static void drop_issuers(struct auth *auth, struct shared_issuers *issuers)
{
    pthread_mutex_lock(&auth->lock);
    CHECK(issuers->users > 0);
    const bool is_last = --issuers->users == 0;
    pthread_mutex_unlock(&auth->lock);
    if (is_last) {
        auth_issuers_free(issuers->issuers);
        free(issuers);
    }
}

/* Reads new issuers. The caller holds reload_lock. On a transient failure, `files` stay as they were. */
static enum status read_issuers(struct auth *auth, struct shared_issuers **out, struct error *error)
{
    struct auth_files files = {0};
    struct shared_issuers *fresh = calloc(1, sizeof *fresh);
    if (fresh == NULL)
        return error_no_memory(error);
    const struct auth_issuers *earlier = auth->in_force != NULL ? auth->in_force->issuers : NULL;
    enum status status =
        auth_issuers_read(auth->issuers_path, auth->program, &files, earlier, &fresh->issuers, error);
    struct auth_files *forgotten = status_is_transient(status) ? &files : &auth->files;
    auth_files_fini(forgotten);
    if (forgotten != &files)
        auth->files = files;
    if (status == STATUS_OK) {
        fresh->users = 1;
        *out = fresh;
    } else {
        free(fresh);
    }
    return status;
}

/* For auth_cache_sift. `context` are the issuers that are in force now. */
static bool still_counts(const void *context, const uint8_t grant[DIGEST_SIZE], int64_t *end_us)
{
    const struct auth_key *key = auth_issuers_find_grant(context, grant);
    if (key != NULL)
        *end_us = key->end_us;
    return key != NULL;
}

/* The caller holds reload_lock. Fails if a file is wrong, although what can be read has replaced the rest. */
static enum status reload(struct auth *auth, struct error *error)
{
    struct shared_issuers *fresh;
    TRY(read_issuers(auth, &fresh, error));
    pthread_mutex_lock(&auth->lock);
    struct shared_issuers *former = auth->in_force;
    auth->in_force = fresh;
    pthread_mutex_unlock(&auth->lock);
    auth_cache_sift(auth->cache, still_counts, fresh->issuers);
    if (former != NULL)
        drop_issuers(auth, former);
    metric_set(&stale, (int64_t)fresh->issuers->stale);
    if (fresh->issuers->stale == 0)
        return STATUS_OK;
    if (error != NULL)
        *error = fresh->issuers->problem;
    return fresh->issuers->problem.status;
}

enum status auth_reload(struct auth *auth, struct error *error)
{
    pthread_mutex_lock(&auth->reload_lock);
    enum status status = reload(auth, error);
    pthread_mutex_unlock(&auth->reload_lock);
    return status;
}

static enum status open_parts(struct auth *auth, struct error *error)
{
    if (auth->issuers_path == NULL || auth->program == NULL)
        return error_no_memory(error);
    TRY(auth_cache_open(&auth->cache, error));
    TRY(auth_attempts_open(&auth->attempts, error));
    return auth_reload(auth, error);
}

enum status auth_open(const struct auth_options *options, struct auth **out, struct error *error)
{
    struct auth *auth = calloc(1, sizeof *auth);
    if (auth == NULL)
        return error_no_memory(error);
    *auth = (struct auth){
        .issuers_path = strdup(options->issuers_path),
        .program = strdup(options->program),
        .reload_lock = PTHREAD_MUTEX_INITIALIZER,
        .lock = PTHREAD_MUTEX_INITIALIZER,
    };
    metric_register(&verified);
    metric_register(&stale);
    enum status status = open_parts(auth, error);
    if (status == STATUS_OK)
        *out = auth;
    else
        auth_close(auth);
    return status;
}

void auth_close(struct auth *auth)
{
    if (auth == NULL)
        return;
    if (auth->in_force != NULL) {
        CHECK(auth->in_force->users == 1);
        drop_issuers(auth, auth->in_force);
    }
    auth_cache_close(auth->cache);
    auth_attempts_close(auth->attempts);
    auth_files_fini(&auth->files);
    pthread_mutex_destroy(&auth->lock);
    pthread_mutex_destroy(&auth->reload_lock);
    free(auth->issuers_path);
    free(auth->program);
    free(auth);
}

void auth_look_after(struct auth *auth)
{
    struct error error = {0};
    pthread_mutex_lock(&auth->reload_lock);
    const bool changed = auth_files_changed(&auth->files);
    enum status status = changed ? reload(auth, &error) : STATUS_OK;
    pthread_mutex_unlock(&auth->reload_lock);
    if (status != STATUS_OK)
        log_event(LOG_ERROR, "auth.reload_failed", LOG_TEXT("error", error.message));
    else if (changed)
        log_event(LOG_INFO, "auth.reloaded", LOG_TEXT("file", auth->issuers_path));
}

static enum status refuse_attempt(uint32_t retry_after_ms, struct error *error)
{
    (void)error_set(error, STATUS_RESOURCE_EXHAUSTED, SCREENING_REASON_TOO_MANY_CALLS,
                    "authorization: too many wrong tokens have come from here");
    if (error != NULL)
        error->retry_after_ms = retry_after_ms;
    return STATUS_RESOURCE_EXHAUSTED;
}

/* Verifies a token by the issuers that are in force. Sets *end_us to the end of its key. */
static enum status verify_now(struct auth *auth, const char *token, struct arena *arena,
                              struct auth_caller *out, int64_t *end_us, bool *costly, struct error *error)
{
    struct shared_issuers *issuers = take_issuers(auth);
    enum status status =
        auth_token_verify(issuers->issuers, token, clock_now_us(), arena, out, costly, error);
    if (status == STATUS_OK) {
        const struct auth_key *key = auth_issuers_find_grant(issuers->issuers, out->grant);
        CHECK(key != NULL);
        *end_us = key->end_us;
    }
    drop_issuers(auth, issuers);
    metric_add(&verified, *costly);
    return status;
}

/* Verifies a token that is not in the cache, and remembers it. */
static enum status verify(struct auth *auth, const char *token, const uint8_t code[AUTH_CACHE_CODE_SIZE],
                          struct auth_source source, struct arena *arena, struct auth_caller *out,
                          struct error *error)
{
    const uint64_t generation = auth_cache_generation(auth->cache); /* before the issuers are taken */
    const int64_t now_ns = clock_monotonic_ns();
    uint32_t retry_after_ms;
    int64_t end_us;
    bool costly;
    if (!auth_attempts_allow(auth->attempts, source, now_ns, &retry_after_ms))
        return refuse_attempt(retry_after_ms, error);
    enum status status = verify_now(auth, token, arena, out, &end_us, &costly, error);
    if (status == STATUS_OK) {
        auth_cache_put(auth->cache, code, out, end_us, generation);
        out->until_us = out->until_us < end_us ? out->until_us : end_us;
    } else if (costly) {
        auth_attempts_fail(auth->attempts, source, now_ns);
    }
    return status;
}

static enum status find_or_verify(struct auth *auth, const char *authorization, struct auth_source source,
                                  struct arena *arena, struct auth_caller *out, struct error *error)
{
    const char *token;
    size_t length;
    uint8_t code[AUTH_CACHE_CODE_SIZE];
    bool found;
    TRY(auth_token_find(authorization, &token, &length, error));
    TRY(auth_cache_code(auth->cache, token, length, code, error));
    TRY(auth_cache_get(auth->cache, code, arena, out, &found, error));
    if (!found)
        return verify(auth, token, code, source, arena, out, error);
    return clock_now_us() < out->until_us ? STATUS_OK : auth_token_expired(error);
}

enum status auth_check(struct auth *auth, const char *authorization, struct auth_source source,
                       struct arena *arena, const struct auth_caller **out, struct error *error)
{
    struct auth_caller *caller = arena_alloc(arena, sizeof *caller);
    if (caller == NULL)
        return error_no_memory(error);
    TRY(find_or_verify(auth, authorization, source, arena, caller, error));
    *out = caller;
    return STATUS_OK;
}

bool auth_is_stale(struct auth *auth)
{
    struct shared_issuers *issuers = take_issuers(auth);
    const bool is_stale = issuers->issuers->stale > 0;
    drop_issuers(auth, issuers);
    return is_stale;
}

bool auth_still_counts(struct auth *auth, const struct auth_caller *caller)
{
    const int64_t now_us = clock_now_us();
    if (now_us >= caller->until_us)
        return false;
    struct shared_issuers *issuers = take_issuers(auth);
    const struct auth_key *key = auth_issuers_find_grant(issuers->issuers, caller->grant);
    const bool counts = key != NULL && now_us < key->end_us;
    drop_issuers(auth, issuers);
    return counts;
}
