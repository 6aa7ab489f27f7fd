#include "base/log_limit.h"

#include <string.h>

#include "base/clock.h"

static const int64_t KEY_NS = 60000000000;

static uint64_t hash_text(uint64_t hash, const char *text)
{
    static const uint64_t FNV_PRIME = 0x100000001b3U;
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * FNV_PRIME;
    return hash;
}

static uint64_t hash_event(const char *event)
{
    static const uint64_t FNV_BASIS = 0xcbf29ce484222325U;
    return hash_text(FNV_BASIS, event);
}

/* Returns the bucket of the event. If all buckets are taken, the event shares its home bucket. */
static struct log_bucket *find_bucket(struct log_limit *limit, const char *event)
{
    size_t first = hash_event(event) % LOG_LIMIT_EVENTS;
    for (size_t i = 0; i < LOG_LIMIT_EVENTS; i++) {
        struct log_bucket *bucket = &limit->buckets[(first + i) % LOG_LIMIT_EVENTS];
        if (bucket->event == NULL)
            bucket->event = event;
        if (strcmp(bucket->event, event) == 0)
            return bucket;
    }
    return &limit->buckets[first];
}

static void suppress(struct log_bucket *bucket, int64_t now_ns)
{
    bucket->suppressed++;
    bucket->suppressed_ns = now_ns;
}

bool log_limit_take(struct log_limit *limit, const char *event, const struct log_rate *rate, int64_t now_ns,
                    uint64_t *suppressed)
{
    struct log_bucket *bucket = find_bucket(limit, event);
    int64_t line_ns = NS_PER_S / rate->per_s;
    int64_t full_ns = (bucket->full_ns > now_ns ? bucket->full_ns : now_ns) + line_ns;
    if (full_ns - now_ns > line_ns * (int64_t)rate->burst) {
        suppress(bucket, now_ns);
        return false;
    }
    bucket->full_ns = full_ns;
    *suppressed = bucket->suppressed;
    bucket->suppressed = 0;
    return true;
}

bool log_limit_first(struct log_limit *limit, const char *event, const char *key, int64_t now_ns)
{
    uint64_t hash = hash_text(hash_event(event), key);
    size_t at = hash % LOG_LIMIT_KEYS;
    if (limit->keys[at].hash == hash && now_ns < limit->keys[at].until_ns) {
        suppress(find_bucket(limit, event), now_ns);
        return false;
    }
    limit->keys[at].hash = hash;
    limit->keys[at].until_ns = now_ns + KEY_NS;
    return true;
}

const char *log_limit_next_suppressed(struct log_limit *limit, int64_t before_ns, uint64_t *suppressed)
{
    for (size_t i = 0; i < LOG_LIMIT_EVENTS; i++) {
        struct log_bucket *bucket = &limit->buckets[i];
        if (bucket->suppressed > 0 && bucket->suppressed_ns < before_ns) {
            *suppressed = bucket->suppressed;
            bucket->suppressed = 0;
            return bucket->event;
        }
    }
    return NULL;
}
