/*
 * A bucket is one instant: when it will be full again. Each call that is taken moves it by the time that one
 * call takes to come back; a bucket is empty if that is more than a whole burst away.
 *
 * A subject belongs to one of SETS sets, which a keyed hash selects. Each lock protects every LOCKS-th set.
 */
#include "auth/buckets.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "auth/caller.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/siphash.h"

enum { WAYS = 8, SETS = AUTH_BUCKETS_SUBJECTS / WAYS, LOCKS = 64 };
enum { SUBJECT_WORDS = (DIGEST_SIZE + AUTH_SUBJECT_MAX) / sizeof(uint64_t) };

struct entry {
    uint64_t subject[SUBJECT_WORDS]; /* the issuer and the subject, padded with NULs */
    int64_t full_ns[AUTH_CALL_KINDS];
};

struct auth_buckets {
    int64_t call_ns[AUTH_CALL_KINDS], burst_ns[AUTH_CALL_KINDS];
    pthread_mutex_t locks[LOCKS];
    struct entry sets[SETS][WAYS];
};

enum status auth_buckets_open(const struct auth_rate rates[AUTH_CALL_KINDS], struct auth_buckets **out,
                              struct error *error)
{
    struct auth_buckets *buckets = calloc(1, sizeof *buckets);
    if (buckets == NULL)
        return error_no_memory(error);
    for (int kind = 0; kind < AUTH_CALL_KINDS; kind++) {
        CHECK(rates[kind].per_s > 0 && rates[kind].burst > 0);
        buckets->call_ns[kind] = NS_PER_S / rates[kind].per_s;
        buckets->burst_ns[kind] = buckets->call_ns[kind] * rates[kind].burst;
    }
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_init(&buckets->locks[i], NULL);
    siphash_make_secret();
    *out = buckets;
    return STATUS_OK;
}

void auth_buckets_close(struct auth_buckets *buckets)
{
    if (buckets == NULL)
        return;
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_destroy(&buckets->locks[i]);
    free(buckets);
}

/* Returns when all buckets of the entry are full. */
static int64_t full_ns(const struct entry *entry)
{
    const int64_t change = entry->full_ns[AUTH_CHANGE];
    const int64_t read = entry->full_ns[AUTH_READ];
    return change > read ? change : read;
}

/* Returns the entry of the subject. If there is none, replaces the one whose buckets are full first. */
static struct entry *find(struct entry *set, const uint64_t subject[SUBJECT_WORDS], int64_t now_ns)
{
    struct entry *first = &set[0];
    for (size_t i = 0; i < WAYS; i++) {
        if (memcmp(set[i].subject, subject, sizeof set[i].subject) == 0)
            return &set[i];
        if (full_ns(&set[i]) < full_ns(first))
            first = &set[i];
    }
    memcpy(first->subject, subject, sizeof first->subject);
    first->full_ns[AUTH_CHANGE] = now_ns;
    first->full_ns[AUTH_READ] = now_ns;
    return first;
}

/* Takes one call, or only looks whether there is one. */
static bool take(const struct auth_buckets *buckets, struct entry *entry, enum auth_call_kind kind,
                 int64_t now_ns, bool only_look, uint32_t *retry_after_ms)
{
    const int64_t from_ns = entry->full_ns[kind] > now_ns ? entry->full_ns[kind] : now_ns;
    const int64_t full_again_ns = from_ns + buckets->call_ns[kind];
    const int64_t missing_ns = full_again_ns - now_ns - buckets->burst_ns[kind];
    if (missing_ns > 0) {
        *retry_after_ms = (uint32_t)((missing_ns + NS_PER_MS - 1) / NS_PER_MS);
        return false;
    }
    if (!only_look)
        entry->full_ns[kind] = full_again_ns;
    return true;
}

static bool find_and_take(struct auth_buckets *buckets, const uint8_t issuer[DIGEST_SIZE],
                          const char *subject, enum auth_call_kind kind, int64_t now_ns, bool only_look,
                          uint32_t *retry_after_ms)
{
    uint64_t words[SUBJECT_WORDS] = {0};
    const size_t length = strlen(subject);
    CHECK(length <= AUTH_SUBJECT_MAX);
    memcpy(words, issuer, DIGEST_SIZE);
    memcpy((char *)words + DIGEST_SIZE, subject, length);
    const size_t set = siphash(words, SUBJECT_WORDS) % SETS;
    pthread_mutex_lock(&buckets->locks[set % LOCKS]);
    struct entry *entry = find(buckets->sets[set], words, now_ns);
    const bool taken = take(buckets, entry, kind, now_ns, only_look, retry_after_ms);
    pthread_mutex_unlock(&buckets->locks[set % LOCKS]);
    return taken;
}

bool auth_buckets_take(struct auth_buckets *buckets, const uint8_t issuer[DIGEST_SIZE], const char *subject,
                       enum auth_call_kind kind, int64_t now_ns, uint32_t *retry_after_ms)
{
    return find_and_take(buckets, issuer, subject, kind, now_ns, false, retry_after_ms);
}

bool auth_buckets_look(struct auth_buckets *buckets, const uint8_t issuer[DIGEST_SIZE], const char *subject,
                       enum auth_call_kind kind, int64_t now_ns, uint32_t *retry_after_ms)
{
    return find_and_take(buckets, issuer, subject, kind, now_ns, true, retry_after_ms);
}
