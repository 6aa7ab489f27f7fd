/*
 * How many lines of each event may be written: a burst, then so many a second. So a caller that can
 * make a program log something, with a wrong request for example, cannot fill the log.
 *
 * Pure; not for several threads at once.
 */
#ifndef SCREENING_BASE_LOG_LIMIT_H
#define SCREENING_BASE_LOG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

enum { LOG_LIMIT_EVENTS = 128, LOG_LIMIT_KEYS = 256 };

/* How many lines of one event: at once, and per second from then on. */
struct log_rate {
    uint32_t burst, per_s;
};

/* An event's; those beyond LOG_LIMIT_EVENTS share one with another. */
struct log_bucket {
    const char *event; /* NULL = unused */
    int64_t full_ns;   /* the burst is used up as far as this lies in the future */
    uint64_t suppressed;
    int64_t suppressed_ns; /* the last one */
};

struct log_limit {
    struct log_bucket buckets[LOG_LIMIT_EVENTS];
    struct {
        uint64_t hash;
        int64_t until_ns;
    } keys[LOG_LIMIT_KEYS];
};

/*
 * Whether a line of `event`, which must stay, may be written at the monotonic `now_ns`; if so, *suppressed is
 * the number of its lines that were not, since the last one that was.
 */
bool log_limit_take(struct log_limit *limit, const char *event, const struct log_rate *rate, int64_t now_ns,
                    uint64_t *suppressed);

/*
 * Whether this is the first line of `event` for `key` within a minute; if not it counts as suppressed. Of
 * more keys than LOG_LIMIT_KEYS some are forgotten earlier.
 */
bool log_limit_first(struct log_limit *limit, const char *event, const char *key, int64_t now_ns);

/* An event of which lines were suppressed, the last before `before_ns`; they are counted from 0 again. NULL:
 * none. */
const char *log_limit_next_suppressed(struct log_limit *limit, int64_t before_ns, uint64_t *suppressed);

#endif
