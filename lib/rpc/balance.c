#include "rpc/balance.h"

#include "base/check.h"
#include "base/clock.h"

/* The maximum retry_after_ms that is accepted from a server that drains or refuses a call. */
enum { PAUSE_MAX_MS = 10000 };

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

static enum balance_kind kind_of(const struct balance_mark *mark, int64_t now_ns)
{
    if (balance_pause_ms(mark, mark->connection, now_ns) > 0)
        return BALANCE_DRAINING;
    if (mark->connection == 0)
        return BALANCE_APART;
    if (mark->refuses_until_ns > now_ns)
        return BALANCE_REFUSING;
    return is_ejected(mark) ? BALANCE_EJECTED : BALANCE_USABLE;
}

/* A set of slots. */
struct slots {
    uint8_t slots[BALANCE_MAX];
    size_t count;
};

/* Finds the backends of the best kind of `kinds`. */
static enum balance_kind find_best(const struct balance *balance, uint64_t skip, unsigned kinds,
                                   int64_t now_ns, struct slots *out)
{
    enum balance_kind best = BALANCE_KINDS;
    out->count = 0;
    for (size_t i = 0; i < balance->count; i++) {
        const struct balance_mark *mark = &balance->marks[i];
        if (!takes_calls(mark) || (skip & (UINT64_C(1) << i)) != 0)
            continue;
        enum balance_kind kind = kind_of(mark, now_ns);
        if ((kinds & (1U << kind)) == 0 || kind > best)
            continue;
        if (kind < best)
            out->count = 0;
        best = kind;
        out->slots[out->count++] = (uint8_t)i;
    }
    return best;
}

/* Returns the backend whose pause ends first. */
static size_t first_back(const struct balance *balance, const struct slots *draining)
{
    size_t first = draining->slots[0];
    for (size_t i = 1; i < draining->count; i++)
        if (balance->marks[draining->slots[i]].paused_until_ns < balance->marks[first].paused_until_ns)
            first = draining->slots[i];
    return first;
}

size_t balance_pick(const struct balance *balance, uint64_t skip, unsigned kinds, uint32_t random,
                    int64_t now_ns)
{
    struct slots found;
    enum balance_kind kind = find_best(balance, skip, kinds, now_ns, &found);
    if (found.count == 0)
        return BALANCE_NONE;
    if (found.count == 1)
        return found.slots[0];
    if (kind == BALANCE_DRAINING)
        return first_back(balance, &found);
    /* Two different ones: the second is 1 to count - 1 places after the first. */
    const uint32_t count = (uint32_t)found.count, low = random & UINT16_MAX, high = random >> 16;
    size_t first = found.slots[low % count];
    size_t second = found.slots[(low % count + 1 + high % (count - 1)) % count];
    return balance->marks[second].in_flight < balance->marks[first].in_flight ? second : first;
}

/* ---- refusals ---- */

/* Moves the time in *until_ns to `retry_after_ms` from now, but not back. */
static void extend(int64_t *until_ns, uint32_t retry_after_ms, int64_t now_ns)
{
    uint32_t pause_ms = retry_after_ms < PAUSE_MAX_MS ? retry_after_ms : PAUSE_MAX_MS;
    int64_t wanted_ns = now_ns + (int64_t)pause_ms * NS_PER_MS;
    if (*until_ns < wanted_ns)
        *until_ns = wanted_ns;
}

void balance_note_refusal(struct balance_mark *mark, uint32_t retry_after_ms, int64_t now_ns)
{
    extend(&mark->refuses_until_ns, retry_after_ms, now_ns);
}

void balance_note_draining(struct balance_mark *mark, uint32_t retry_after_ms, int connection, int64_t now_ns)
{
    mark->drained = connection;
    extend(&mark->paused_until_ns, retry_after_ms, now_ns);
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

void balance_note_answer(struct balance_mark *mark, int64_t now_ns)
{
    mark->answered_ns = now_ns;
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
    mark->silent = mark->ejections = 0; /* the connection may be to another process */
    mark->refuses_until_ns = 0;
    if (is_ejected(mark))
        mark->ejected_until_ns = now_ns;
}

bool balance_check_is_due(const struct balance_mark *mark, int64_t now_ns)
{
    return mark->used && is_ejected(mark) && now_ns >= mark->ejected_until_ns && mark->connection != 0;
}

void balance_note_check(struct balance_mark *mark, enum balance_health health, int64_t now_ns)
{
    if (!is_ejected(mark))
        return;
    switch (health) {
    case BALANCE_SERVING:
        mark->ejected_until_ns = 0;
        mark->silent = 0;
        break;
    case BALANCE_NOT_SERVING:
        mark->ejected_until_ns = now_ns + EJECTION_FIRST_MS * (int64_t)NS_PER_MS;
        break;
    case BALANCE_SILENT:
        eject(mark, now_ns);
        break;
    }
}
