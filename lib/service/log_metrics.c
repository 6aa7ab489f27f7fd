#include "service/log_metrics.h"

#include "base/clock.h"
#include "base/metrics.h"

#define LOG_METRICS(log)                                                                                     \
    {                                                                                                        \
        .lag_ms = METRIC_IN_UNIT("events_lag_seconds", "Age of the oldest event known and not yet applied",  \
                                 log, 1e-3),                                                                 \
        .applied_seq = METRIC_LABELLED("events_applied_seq", "Last event applied of a followed log", log),   \
        .known_seq =                                                                                         \
            METRIC_LABELLED("events_known_head_seq", "Highest seq heard of in a followed log", log),         \
        .dead_letters = METRIC_LABELLED("events_dead_letters", "Dead letters stored now", log),              \
        .following =                                                                                         \
            METRIC_LABELLED("events_following", "1 = the log is followed live, 0 = behind or cut off", log), \
        .halted = METRIC_LABELLED("events_halted", "1 = waits for an operator (see events.halted)", log),    \
    }

static struct log_metrics {
    struct metric lag_ms, applied_seq, known_seq, dead_letters, following, halted;
} all[FOLLOWED_COUNT] = {
    [FOLLOWED_BOOKING] = LOG_METRICS("log=\"booking\""),
    [FOLLOWED_HOSPITAL] = LOG_METRICS("log=\"hospital\""),
};

static void show(struct metric *metric, int64_t value)
{
    metric_register(metric);
    metric_set(metric, value);
}

void log_metrics_refresh(enum followed_log log, struct event_follower *follower)
{
    struct log_metrics *metrics = &all[log];
    struct event_follower_status status;
    event_follower_status(follower, &status);
    int64_t oldest_us = status.oldest_unapplied_us;
    int64_t lag_ms = oldest_us != 0 ? (clock_now_us() - oldest_us) / US_PER_MS : 0;
    show(&metrics->lag_ms, lag_ms > 0 ? lag_ms : 0);
    show(&metrics->applied_seq, (int64_t)status.applied_seq);
    show(&metrics->known_seq, (int64_t)status.head_seq);
    show(&metrics->dead_letters, (int64_t)status.dead_letters);
    show(&metrics->following, status.state == FOLLOWER_FOLLOWING);
    show(&metrics->halted, status.state == FOLLOWER_DIVERGED || status.state == FOLLOWER_STOPPED);
}
