#include "rpc/balance.h"

#include "base/check.h"
#include "base/clock.h"

/* The maximum retry_after_ms that is accepted from a draining server. */
enum { DRAINING_PAUSE_MAX_MS = 10000 };

/*
 * A draining server closes the connections on which it replied DRAINING. If it has not done so after
 * CLOSING_MAX_MS, the channel sends requests again.
 */
enum { CLOSING_MAX_MS = 2000, CLOSING_LOOK_MS = 50 };

enum { EJECTION_FIRST_MS = 1000, EJECTION_MAX_MS = 30000, EJECTIONS_MAX = 6 };

/* ---- the choice ---- */

static bool is_ejected(const struct balance_mark *mark)
{
    return mark->ejected_until_ns != 0;
}

static bool takes_calls(const struct balance_mark *mark)
{
    return mark->used && !mark->leaving;
}

static bool is_connected(const struct balance_mark *mark, int64_t now_ns)
{
    return takes_calls(mark) && mark->connection != 0 &&
           balance_pause_ms(mark, mark->connection, now_ns) == 0;
}

/* A set of slots. */
struct slots {
    uint8_t slots[BALANCE_MAX];
    size_t count;
};

static void find_usable(const struct balance *balance, uint64_t skip, int64_t now_ns, struct slots *out)
{
    out->count = 0;
    for (size_t i = 0; i < balance->count; i++) {
        const struct balance_mark *mark = &balance->marks[i];
        if ((skip & (UINT64_C(1) << i)) == 0 && is_connected(mark, now_ns) && !is_ejected(mark))
            out->slots[out->count++] = (uint8_t)i;
    }
}

size_t balance_pick(const struct balance *balance, uint64_t skip, uint32_t random, int64_t now_ns)
{
    struct slots usable;
    find_usable(balance, skip, now_ns, &usable);
    if (usable.count == 0)
        return BALANCE_NONE;
    if (usable.count == 1)
        return usable.slots[0];
    /* Two different ones: the second is 1 to count - 1 places after the first. */
    const uint32_t count = (uint32_t)usable.count, low = random & UINT16_MAX, high = random >> 16;
    size_t first = usable.slots[low % count];
    size_t second = usable.slots[(low % count + 1 + high % (count - 1)) % count];
    return balance->marks[second].in_flight < balance->marks[first].in_flight ? second : first;
}

size_t balance_last_resort(const struct balance *balance, uint32_t random, int64_t now_ns)
{
    struct slots connected = {.count = 0}, apart = {.count = 0};
    size_t draining = BALANCE_NONE;
    uint32_t shortest_ms = UINT32_MAX;
    for (size_t i = 0; i < balance->count; i++) {
        const struct balance_mark *mark = &balance->marks[i];
        if (!takes_calls(mark))
            continue;
        uint32_t pause_ms = balance_pause_ms(mark, mark->connection, now_ns);
        if (pause_ms > 0 && pause_ms < shortest_ms) {
            shortest_ms = pause_ms;
            draining = i;
        }
        if (pause_ms == 0 && mark->connection != 0)
            connected.slots[connected.count++] = (uint8_t)i;
        else if (pause_ms == 0)
            apart.slots[apart.count++] = (uint8_t)i;
    }
    const struct slots *best = connected.count > 0 ? &connected : &apart;
    return best->count > 0 ? best->slots[random % best->count] : draining;
}

bool balance_has_other(const struct balance *balance, uint64_t skip, int64_t now_ns)
{
    struct slots usable;
    find_usable(balance, skip, now_ns, &usable);
    return usable.count > 0;
}

/* ---- draining ---- */

void balance_note_draining(struct balance_mark *mark, uint32_t retry_after_ms, int connection, int64_t now_ns)
{
    mark->drained = connection;
    uint32_t pause_ms = retry_after_ms < DRAINING_PAUSE_MAX_MS ? retry_after_ms : DRAINING_PAUSE_MAX_MS;
    int64_t until_ns = now_ns + (int64_t)pause_ms * NS_PER_MS;
    if (mark->paused_until_ns < until_ns)
        mark->paused_until_ns = until_ns;
}

uint32_t balance_pause_ms(const struct balance_mark *mark, int connection, int64_t now_ns)
{
    if (mark->paused_until_ns == 0)
        return 0;
    int64_t left_ns = mark->paused_until_ns - now_ns;
    if (left_ns > 0)
        return (uint32_t)((left_ns + NS_PER_MS - 1) / NS_PER_MS);
    bool closing = connection != 0 && connection == mark->drained;
    return closing && left_ns > -(int64_t)CLOSING_MAX_MS * NS_PER_MS ? CLOSING_LOOK_MS : 0;
}

/* ---- ejection ---- */

void balance_note_answer(struct balance_mark *mark)
{
    mark->silent = 0;
    if (!is_ejected(mark))
        mark->ejections = 0;
}

/* Returns whether one more of the connected backends may be ejected. */
static bool may_eject(const struct balance *balance)
{
    size_t connected = 0, ejected = 0;
    for (size_t i = 0; i < balance->count; i++) {
        const struct balance_mark *mark = &balance->marks[i];
        if (takes_calls(mark) && mark->connection != 0) {
            connected++;
            ejected += is_ejected(mark);
        }
    }
    return (ejected + 1) * 2 <= connected;
}

static void eject(struct balance_mark *mark, int64_t now_ns)
{
    int64_t ms = (int64_t)EJECTION_FIRST_MS << mark->ejections;
    if (mark->ejections < EJECTIONS_MAX)
        mark->ejections++;
    mark->ejected_until_ns = now_ns + (ms < EJECTION_MAX_MS ? ms : EJECTION_MAX_MS) * NS_PER_MS;
}

bool balance_note_silence(struct balance *balance, size_t slot, int64_t now_ns)
{
    CHECK(slot < balance->count);
    struct balance_mark *mark = &balance->marks[slot];
    if (mark->silent < BALANCE_SILENT_MAX)
        mark->silent++;
    if (mark->silent < BALANCE_SILENT_MAX || is_ejected(mark) || !may_eject(balance))
        return false;
    eject(mark, now_ns);
    return true;
}

void balance_note_connected(struct balance_mark *mark, int connection, int64_t now_ns)
{
    mark->connection = connection;
    mark->silent = 0; /* the calls before were lost with the connection, or with the process */
    if (is_ejected(mark))
        mark->ejected_until_ns = now_ns;
}

bool balance_check_is_due(const struct balance_mark *mark, int64_t now_ns)
{
    return mark->used && is_ejected(mark) && now_ns >= mark->ejected_until_ns && mark->connection != 0;
}

void balance_note_check(struct balance_mark *mark, bool good, int64_t now_ns)
{
    if (!is_ejected(mark))
        return;
    if (good) {
        mark->ejected_until_ns = 0;
        mark->silent = 0;
    } else {
        eject(mark, now_ns);
    }
}
