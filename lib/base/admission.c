#include "base/admission.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"

#include "screening/v1/words.h"

/* 1/KEPT_SHARE of the places is reserved for sources that hold fewer places than the reserve. */
enum { KEPT_SHARE = 8 };

/*
 * The minimum time over which the pace is measured, so that a measurement covers many quick items or a few
 * slow ones.
 */
static const int64_t PACE_NS = INT64_C(20) * NS_PER_MS;

struct admission *admission_create(size_t places_max)
{
    struct admission *admission = calloc(1, sizeof *admission);
    if (admission != NULL)
        admission->places_max = places_max;
    return admission;
}

bool admission_has_room(size_t max, size_t taken, size_t by_connection, bool names_address, size_t by_address)
{
    size_t kept = max / KEPT_SHARE;
    size_t share = by_connection < kept ? max : max - kept;
    size_t kept_inside = names_address ? share / KEPT_SHARE : 0;
    if (by_address >= kept_inside)
        share -= kept_inside;
    return taken < share;
}

/* Returns whether the item would spend more than half of its remaining time in the queue. */
static bool is_hopeless(const struct admission *admission, uint64_t source, int64_t left_ns)
{
    size_t ahead = fair_queue_ahead(&admission->queue, source);
    return left_ns > 0 && backlog_wait_ns(&admission->backlog, ahead) > left_ns / 2;
}

enum admission_verdict admission_ask(const struct admission *admission, const struct fair_item *item,
                                     int64_t deadline_ns, int64_t now_ns)
{
    size_t line = fair_line_of(item->source), lane = fair_lane_of(item->source);
    if (!admission_has_room(admission->places_max, atomic_load(&admission->taken),
                            atomic_load(&admission->by_connection[line]), lane != 0,
                            atomic_load(&admission->by_address[line][lane])))
        return ADMISSION_FULL;
    return is_hopeless(admission, item->source, deadline_ns - now_ns) ? ADMISSION_HOPELESS
                                                                      : ADMISSION_GRANTED;
}

enum status admission_refuse(const char *what, uint32_t retry_after_ms, struct error *error)
{
    (void)error_set(error, STATUS_RESOURCE_EXHAUSTED, SCREENING_REASON_OVERLOADED, "too many %s wait", what);
    if (error != NULL)
        error->retry_after_ms = retry_after_ms;
    return STATUS_RESOURCE_EXHAUSTED;
}

void admission_push(struct admission *admission, struct fair_item *item)
{
    size_t line = fair_line_of(item->source), lane = fair_lane_of(item->source);
    atomic_fetch_add(&admission->taken, 1);
    atomic_fetch_add(&admission->by_connection[line], 1);
    if (lane != 0)
        atomic_fetch_add(&admission->by_address[line][lane], 1);
    fair_queue_push(&admission->queue, item);
}

struct fair_item *admission_pop(struct admission *admission)
{
    /* Each waiting item holds a place. */
    CHECK(atomic_load(&admission->taken) >= admission->queue.waiting);
    return fair_queue_pop(&admission->queue);
}

static void note_pace(struct admission *admission, int64_t now_ns)
{
    if (admission->queue.waiting == 0) {
        admission->since_ns = 0;
        backlog_ended(&admission->backlog);
        return;
    }
    if (admission->since_ns == 0) {
        admission->since_ns = now_ns;
        admission->popped = 0;
        return;
    }
    admission->popped++;
    if (now_ns - admission->since_ns >= PACE_NS) {
        backlog_passed(&admission->backlog, admission->popped, now_ns - admission->since_ns);
        admission->since_ns = now_ns;
        admission->popped = 0;
    }
}

struct fair_item *admission_pop_paced(struct admission *admission, int64_t now_ns)
{
    struct fair_item *item = admission_pop(admission);
    if (item != NULL)
        note_pace(admission, now_ns);
    return item;
}

void admission_release(struct admission *admission, uint64_t source)
{
    size_t line = fair_line_of(source), lane = fair_lane_of(source);
    unsigned by_address = lane != 0 ? atomic_fetch_sub(&admission->by_address[line][lane], 1) : 1;
    unsigned by_connection = atomic_fetch_sub(&admission->by_connection[line], 1);
    size_t taken = atomic_fetch_sub(&admission->taken, 1);
    CHECK(by_address > 0 && by_connection > 0 && taken > 0); /* a place must be released only once */
}
