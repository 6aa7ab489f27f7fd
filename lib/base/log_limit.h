/*
 * A rate limit for log lines. Each event may log a burst of lines, and then a limited number of lines per
 * second. This keeps a client that can trigger log lines, for example with bad requests, from filling the
 * log.
 *
 * Pure; not thread-safe.
 */
#ifndef SCREENING_BASE_LOG_LIMIT_H
#define SCREENING_BASE_LOG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

enum { LOG_LIMIT_EVENTS = 128, LOG_LIMIT_KEYS = 256 };

/* How many lines one event may log: `burst` at once, and then `per_s` each second. */
struct log_rate {
    uint32_t burst, per_s;
};

/* The state of one event. If there are more than LOG_LIMIT_EVENTS events, some share a bucket. */
struct log_bucket {
    const char *event; /* NULL = unused */
    int64_t full_ns;   /* when the full burst is available again (monotonic) */
    uint64_t suppressed;
    int64_t suppressed_ns; /* when a line was last suppressed */
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
 * number of lines of this event that were suppressed since the last one that was written. The text at `event`
 * must stay valid.
 */
bool log_limit_take(struct log_limit *limit, const char *event, const struct log_rate *rate, int64_t now_ns,
                    uint64_t *suppressed);

/*
 * Returns whether a line of `event` for `key` may be written at `now_ns` (monotonic). Allows one line per
 * minute. A line that is not allowed counts as suppressed. A key is forgotten early if another key hashes to
 * the same one of the LOG_LIMIT_KEYS slots.
 */
bool log_limit_first(struct log_limit *limit, const char *event, const char *key, int64_t now_ns);

/*
 * Returns an event that has suppressed lines, the last of them from before `before_ns` (monotonic). Sets
 * *suppressed to the number of these lines and resets the count. Returns NULL if there is no such event.
 */
const char *log_limit_next_suppressed(struct log_limit *limit, int64_t before_ns, uint64_t *suppressed);

#endif
