#include "auth/attempts.h"

#include <stdlib.h>
#include <string.h>

#include "auth/buckets.h"

struct auth_attempts {
    struct auth_buckets *sources, *all; /* only the buckets for reads are used */
};

static const struct auth_rate SOURCE_RATES[AUTH_CALL_KINDS] = {
    [AUTH_CHANGE] = {1, 1}, [AUTH_READ] = {AUTH_ATTEMPTS_PER_S, AUTH_ATTEMPTS_BURST}};
static const struct auth_rate ALL_RATES[AUTH_CALL_KINDS] = {
    [AUTH_CHANGE] = {1, 1}, [AUTH_READ] = {AUTH_ATTEMPTS_ALL_PER_S, AUTH_ATTEMPTS_ALL_BURST}};

enum status auth_attempts_open(struct auth_attempts **out, struct error *error)
{
    struct auth_attempts *attempts = calloc(1, sizeof *attempts);
    if (attempts == NULL)
        return error_no_memory(error);
    enum status status = auth_buckets_open(SOURCE_RATES, &attempts->sources, error);
    if (status == STATUS_OK)
        status = auth_buckets_open(ALL_RATES, &attempts->all, error);
    if (status == STATUS_OK)
        *out = attempts;
    else
        auth_attempts_close(attempts);
    return status;
}

void auth_attempts_close(struct auth_attempts *attempts)
{
    if (attempts == NULL)
        return;
    auth_buckets_close(attempts->sources);
    auth_buckets_close(attempts->all);
    free(attempts);
}

/* A source takes the place of an issuer. */
struct key {
    uint8_t bytes[DIGEST_SIZE];
};

static struct key key_of(uint64_t number, uint32_t entrance)
{
    struct key key = {{0}};
    memcpy(key.bytes, &number, sizeof number);
    memcpy(key.bytes + sizeof number, &entrance, sizeof entrance);
    return key;
}

bool auth_attempts_allow(struct auth_attempts *attempts, struct auth_source source, int64_t now_ns,
                         uint32_t *retry_after_ms)
{
    if (source.number == 0)
        return true;
    const struct key key = key_of(source.number, source.entrance), all = key_of(0, source.entrance);
    return auth_buckets_look(attempts->sources, key.bytes, "", AUTH_READ, now_ns, retry_after_ms) &&
           auth_buckets_look(attempts->all, all.bytes, "", AUTH_READ, now_ns, retry_after_ms);
}

void auth_attempts_fail(struct auth_attempts *attempts, struct auth_source source, int64_t now_ns)
{
    uint32_t retry_after_ms;
    const struct key key = key_of(source.number, source.entrance), all = key_of(0, source.entrance);
    if (source.number == 0)
        return;
    const bool of_source =
        auth_buckets_take(attempts->sources, key.bytes, "", AUTH_READ, now_ns, &retry_after_ms);
    const bool of_all = auth_buckets_take(attempts->all, all.bytes, "", AUTH_READ, now_ns, &retry_after_ms);
    (void)of_source, (void)of_all; /* another thread may have taken the last one */
}
