#include "service/log_metrics.h"

#include "base/clock.h"
#include "base/metrics.h"

/* log_metrics_refresh sets the label before it registers a metric. */
#define LOG_METRICS                                                                                          \
    {                                                                                                        \
        .lag_ms = METRIC_IN_UNIT("events_lag_seconds", "Age of the oldest event known and not yet applied",  \
                                 NULL, 1e-3),                                                                \
        .applied_seq = METRIC("events_applied_seq", "Last event applied of a followed log"),                 \
        .known_seq = METRIC("events_known_head_seq", "Highest seq heard of in a followed log"),              \
        .dead_letters = METRIC("events_dead_letters", "Dead letters stored now"),                            \
        .following = METRIC("events_following", "1 = the log is followed live, 0 = behind or cut off"),      \
        .publishers = METRIC("events_publishers", "Publishers of a followed log that are connected"),        \
        .halted = METRIC("events_halted", "1 = waits for an operator (see events.halted)"),                  \
    }

static struct log_metrics {
    struct metric lag_ms, applied_seq, known_seq, dead_letters, following, publishers, halted;
} all[LOG_METRICS_MAX] = {LOG_METRICS, LOG_METRICS};

static void show(struct metric *metric, const char *label, int64_t value)
{
    if (metric->labels == NULL)
        metric->labels = label;
    metric_register(metric);
    metric_set(metric, value);
}

void log_metrics_refresh(size_t log, const char *label, struct event_follower *follower)
{
    struct log_metrics *metrics = &all[log];
    struct event_follower_status status;
    event_follower_status(follower, &status);
    int64_t oldest_us = status.oldest_unapplied_us;
    int64_t lag_ms = oldest_us != 0 ? (clock_now_us() - oldest_us) / US_PER_MS : 0;
    show(&metrics->lag_ms, label, lag_ms > 0 ? lag_ms : 0);
    show(&metrics->applied_seq, label, (int64_t)status.applied_seq);
    show(&metrics->known_seq, label, (int64_t)status.head_seq);
    show(&metrics->dead_letters, label, (int64_t)status.dead_letters);
    show(&metrics->following, label, status.state == FOLLOWER_FOLLOWING);
    show(&metrics->publishers, label, status.publishers);
    show(&metrics->halted, label, status.state == FOLLOWER_DIVERGED || status.state == FOLLOWER_STOPPED);
}
