/*
 * Rate limit for log lines: each event has a burst, then a number of lines per second. This keeps a client
 * that can trigger log lines, for example with bad requests, from filling the log.
 *
 * Pure; not thread-safe.
 */
#ifndef SCREENING_BASE_LOG_LIMIT_H
#define SCREENING_BASE_LOG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

enum { LOG_LIMIT_EVENTS = 128, LOG_LIMIT_KEYS = 256 };

/* Lines of one event: at once, and per second after that. */
struct log_rate {
    uint32_t burst, per_s;
};

/* State of one event. Events beyond LOG_LIMIT_EVENTS share a bucket with another. */
struct log_bucket {
    const char *event; /* NULL = unused */
    int64_t full_ns;   /* lies further in the future the more of the burst is used */
    uint64_t suppressed;
    int64_t suppressed_ns; /* time of the last one */
};

struct log_limit {
    struct log_bucket buckets[LOG_LIMIT_EVENTS];
    struct {
        uint64_t hash;
        int64_t until_ns;
    } keys[LOG_LIMIT_KEYS];
};

/*
 * Whether a line of `event` may be written at `now_ns` (monotonic). If so, *suppressed is the number of its
 * lines suppressed since the last written one. `event` must stay valid.
 */
bool log_limit_take(struct log_limit *limit, const char *event, const struct log_rate *rate, int64_t now_ns,
                    uint64_t *suppressed);

/*
 * Returns whether this is the first line of `event` for `key` within a minute; any other counts as
 * suppressed. With more than LOG_LIMIT_KEYS keys, some are forgotten early.
 */
bool log_limit_first(struct log_limit *limit, const char *event, const char *key, int64_t now_ns);

/* Returns an event with its last suppressed line before `before_ns`, and resets its count; or NULL. */
const char *log_limit_next_suppressed(struct log_limit *limit, int64_t before_ns, uint64_t *suppressed);

#endif
