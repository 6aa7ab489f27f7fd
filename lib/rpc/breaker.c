#include "rpc/breaker.h"

#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "rpc/retry.h"

enum { PROBE_GUESS_MS = 100 };

void breaker_init(struct breaker *breaker, const struct breaker_options *options)
{
    memset(breaker, 0, sizeof *breaker);
    breaker->options = *options;
}

/* ---- the window ---- */

static int64_t bucket_number(const struct breaker *breaker, int64_t now_ns)
{
    int64_t slice_ns = (int64_t)breaker->options.window_ms * NS_PER_MS / BREAKER_BUCKETS;
    CHECK(slice_ns > 0);
    return now_ns / slice_ns;
}

static void count_in_window(struct breaker *breaker, const struct breaker_count *count, int64_t now_ns)
{
    int64_t number = bucket_number(breaker, now_ns);
    struct breaker_bucket *bucket = &breaker->buckets[number % BREAKER_BUCKETS];
    if (bucket->number != number)
        *bucket = (struct breaker_bucket){.number = number};
    bucket->successes += count->successes;
    bucket->failures += count->failures;
}

struct breaker_count breaker_window(const struct breaker *breaker, int64_t now_ns)
{
    struct breaker_count total = {0};
    int64_t number = bucket_number(breaker, now_ns);
    for (size_t i = 0; i < BREAKER_BUCKETS; i++) {
        const struct breaker_bucket *bucket = &breaker->buckets[i];
        if (bucket->number > number - BREAKER_BUCKETS) {
            total.successes += bucket->successes;
            total.failures += bucket->failures;
        }
    }
    return total;
}

static bool too_many_failed(const struct breaker *breaker, int64_t now_ns)
{
    struct breaker_count window = breaker_window(breaker, now_ns);
    size_t calls = window.successes + window.failures;
    return calls >= breaker->options.min_calls &&
           window.failures * 100 >= calls * breaker->options.failure_percent;
}

/* ---- states ---- */

/* Returns whether the state diagram in breaker.h allows this transition. */
static bool may_move(enum breaker_state from, enum breaker_state to)
{
    switch (from) {
    case BREAKER_CLOSED:
        return to == BREAKER_OPEN;
    case BREAKER_OPEN:
        return to == BREAKER_HALF_OPEN;
    case BREAKER_HALF_OPEN:
    default:
        return to != BREAKER_HALF_OPEN;
    }
}

/* Changes the state. After breaker_init, only this function does so. */
static void move(struct breaker *breaker, enum breaker_state state, int64_t now_ns)
{
    CHECK(may_move(breaker->state, state));
    breaker->state = state;
    breaker->era++;
    breaker->probing = 0;
    breaker->streak = 0;
    switch (state) {
    case BREAKER_CLOSED:
        memset(breaker->buckets, 0, sizeof breaker->buckets);
        break;
    case BREAKER_HALF_OPEN:
        break;
    case BREAKER_OPEN:
        breaker->probe_ns = now_ns + (int64_t)breaker->options.open_ms * NS_PER_MS;
        break;
    }
}

size_t breaker_room(const struct breaker *breaker, int64_t now_ns)
{
    switch (breaker->state) {
    case BREAKER_HALF_OPEN:
        CHECK(breaker->probing <= breaker->options.probes);
        return breaker->options.probes - breaker->probing;
    case BREAKER_OPEN:
        return now_ns >= breaker->probe_ns ? breaker->options.probes : 0;
    case BREAKER_CLOSED:
    default:
        return SIZE_MAX;
    }
}

size_t breaker_admit(struct breaker *breaker, size_t wanted, int64_t now_ns, uint64_t *era)
{
    if (breaker->state == BREAKER_OPEN && now_ns >= breaker->probe_ns)
        move(breaker, BREAKER_HALF_OPEN, now_ns);
    size_t room = breaker_room(breaker, now_ns);
    size_t admitted = wanted < room ? wanted : room;
    if (breaker->state == BREAKER_HALF_OPEN)
        breaker->probing += admitted;
    *era = breaker->era;
    return admitted;
}

static void record_probes(struct breaker *breaker, const struct breaker_count *count, int64_t now_ns)
{
    /* Every recorded call was admitted. */
    CHECK(breaker->probing >= count->successes + count->failures + count->nothing);
    breaker->probing -= count->successes + count->failures + count->nothing;
    breaker->streak += count->successes;
    if (count->failures > 0)
        move(breaker, BREAKER_OPEN, now_ns);
    else if (breaker->streak >= breaker->options.probes)
        move(breaker, BREAKER_CLOSED, now_ns);
}

void breaker_record(struct breaker *breaker, uint64_t era, const struct breaker_count *count, int64_t now_ns)
{
    if (breaker->options.window_ms == 0 || era != breaker->era)
        return;
    if (breaker->state == BREAKER_HALF_OPEN) {
        record_probes(breaker, count, now_ns);
        return;
    }
    CHECK(breaker->state == BREAKER_CLOSED); /* an open breaker admits no calls */
    count_in_window(breaker, count, now_ns);
    if (count->failures > 0 && too_many_failed(breaker, now_ns))
        move(breaker, BREAKER_OPEN, now_ns);
}

uint32_t breaker_wait_ms(const struct breaker *breaker, int64_t now_ns)
{
    if (breaker_room(breaker, now_ns) > 0)
        return 0;
    if (breaker->state == BREAKER_HALF_OPEN)
        return PROBE_GUESS_MS;
    CHECK(breaker->state == BREAKER_OPEN && breaker->probe_ns > now_ns);
    return (uint32_t)((breaker->probe_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS);
}

/* ---- outcomes ---- */

enum breaker_outcome breaker_judge(enum status status, const char *reason, bool left, int64_t had_ms,
                                   uint32_t fair_ms)
{
    bool hurried = had_ms < (int64_t)fair_ms;
    if (status == STATUS_OK)
        return BREAKER_SUCCESS;
    if (retry_was_refused(status, reason))
        return BREAKER_NOTHING;
    if (!left)
        return hurried ? BREAKER_NOTHING : BREAKER_FAILURE;
    switch (status) {
    case STATUS_DEADLINE_EXCEEDED:
        return hurried ? BREAKER_NOTHING : BREAKER_FAILURE;
    case STATUS_UNAVAILABLE:
    case STATUS_INTERNAL:
        return BREAKER_FAILURE;
    default:
        return BREAKER_SUCCESS;
    }
}
