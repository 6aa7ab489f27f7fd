/*
 * A rate limit for log lines. Each event has a burst and then a number of lines per second. This keeps a
 * client that can trigger log lines, for example with bad requests, from filling the log.
 *
 * Pure; not thread-safe.
 */
#ifndef SCREENING_BASE_LOG_LIMIT_H
#define SCREENING_BASE_LOG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

enum { LOG_LIMIT_EVENTS = 128, LOG_LIMIT_KEYS = 256 };

/* The lines that one event may log: `burst` in a row, and then `per_s` each second. */
struct log_rate {
    uint32_t burst, per_s;
};

/* The state of one event. Events beyond LOG_LIMIT_EVENTS share a bucket with another. */
struct log_bucket {
    const char *event; /* NULL = unused */
    int64_t full_ns;   /* when the burst is available again in full (monotonic) */
    uint64_t suppressed;
    int64_t suppressed_ns; /* when the last line was suppressed */
};

struct log_limit {
    struct log_bucket buckets[LOG_LIMIT_EVENTS];
    struct {
        uint64_t hash;
        int64_t until_ns;
    } keys[LOG_LIMIT_KEYS];
};

/*
 * Returns whether a line of `event` may be written at `now_ns` (monotonic). If so, sets *suppressed to the
 * number of its lines suppressed since the last written one. `event` must stay valid.
 */
bool log_limit_take(struct log_limit *limit, const char *event, const struct log_rate *rate, int64_t now_ns,
                    uint64_t *suppressed);

/*
 * Returns whether this is the first line of `event` for `key` within a minute. Any other line counts as
 * suppressed. With more than LOG_LIMIT_KEYS keys, some are forgotten early.
 */
bool log_limit_first(struct log_limit *limit, const char *event, const char *key, int64_t now_ns);

/*
 * Returns an event whose last line was suppressed before `before_ns`, and resets its count. Returns NULL if
 * there is none.
 */
const char *log_limit_next_suppressed(struct log_limit *limit, int64_t before_ns, uint64_t *suppressed);

#endif
