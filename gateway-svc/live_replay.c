/*
 * Sends missed events to listeners that reconnect. One walk through the log serves all of them, from the
 * position of the listener furthest behind to the head. A listener that joins during a walk, and starts
 * before the walk's position, waits for the next walk. The distance at which a listener is reset also limits
 * the length of a walk, so the next walk begins soon, however often others reconnect. A walk consists of
 * rounds, one per Fetch. A listener that reads more slowly than the others continues in a later round.
 */
#include "live_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/clock.h"

enum { FETCH_EVENTS = 256, UNREAD_MAX = HTTP_STREAM_MAX / 2, SLOW_PAUSE_MS = 50, FAILED_PAUSE_MS = 200 };

static bool takes_more(const struct live_listener *listener)
{
    return http_stream_unread(listener->stream) < UNREAD_MAX;
}

enum round { ROUND_NONE, ROUND_LATER, ROUND_NOW };

/* Returns whether the listener is behind. Resets a listener that reads too slowly to catch up with the
 * log. */
static bool is_behind(struct live_listener *listener)
{
    const uint64_t head = listener->live->position.booking;
    if (listener->behind && head - listener->booking_seq > LIVE_REPLAY_TOO_LONG)
        live_reset(listener);
    return listener->behind;
}

/*
 * Sets *after_seq to the start of the next round: the lowest position, from `at_seq` on, of a listener that
 * can take more events or, if there is none, the lowest position of all such listeners. Returns whether to
 * begin the round now, later or not at all.
 */
static enum round find_begin(struct live *live, uint64_t at_seq, uint64_t *after_seq)
{
    uint64_t nearest = UINT64_MAX, furthest = UINT64_MAX;
    bool waits = false;
    monitor_lock(&live->monitor);
    bool known = live->known[LIVE_BOOKING] && !live->stopping;
    LIST_EACH(struct live_listener, l, &live->listeners, node) {
        if (!known || !is_behind(l))
            continue;
        waits = true;
        if (!takes_more(l))
            continue;
        if (l->booking_seq < furthest)
            furthest = l->booking_seq;
        if (l->booking_seq >= at_seq && l->booking_seq < nearest)
            nearest = l->booking_seq;
    }
    monitor_unlock(&live->monitor);
    *after_seq = nearest != UINT64_MAX ? nearest : furthest;
    if (*after_seq != UINT64_MAX)
        return ROUND_NOW;
    return waits ? ROUND_LATER : ROUND_NONE;
}

static enum status fetch(struct live *live, uint64_t after_seq, struct arena *arena,
                         const Screening__V1__FetchResponse **out)
{
    Screening__V1__FetchRequest request = SCREENING__V1__FETCH_REQUEST__INIT;
    char subscriber[] = "gateway-svc";
    request.after_seq = after_seq;
    request.max_events = FETCH_EVENTS;
    request.subscriber = subscriber;
    struct rpc_client_call call = {.idempotent = true, .own_token = true};
    ProtobufCMessage *response = NULL;
    if (!rpc_channel_connected(live->booking_channel))
        return STATUS_UNAVAILABLE;
    enum status status =
        rpc_client_call_wait(live->booking_log, "Fetch", &request.base, &call, arena, &response);
    *out = (Screening__V1__FetchResponse *)response;
    return status;
}

/* ---- a round; the caller holds the lock ---- */

/* Adds to the round the listeners whose position is in the range of the round's events. */
static void begin_round(struct live *live, uint64_t after_seq, uint64_t end_seq)
{
    LIST_EACH(struct live_listener, l, &live->listeners, node)
        l->in_round = l->behind && l->booking_seq >= after_seq && l->booking_seq <= end_seq;
}

static void send_missed(struct live_listener *listener, const Screening__V1__Event *event, const char *data,
                        int64_t now_ns)
{
    if (!takes_more(listener)) {
        listener->in_round = false;
        listener->booking_seq = event->seq - 1; /* a later round continues from there */
    } else if (!live_budget_take(&listener->live->budget, listener->budget_key, now_ns)) {
        listener->in_round = false;
        live_reset(listener);
    } else {
        live_send_booking(listener, event, data);
    }
}

static void send_event(struct live *live, const Screening__V1__Event *event, int64_t now_ns)
{
    char *data = NULL;
    if (event->body_case != SCREENING__V1__EVENT__BODY_BOOKING)
        return;
    const struct live_customer *customer = live_registry_customer(live, event->booking->customer_id);
    if (customer == NULL)
        return;
    LIST_EACH(struct live_listener, l, &customer->listeners, of_customer) {
        if (!l->in_round || event->seq <= l->booking_seq)
            continue;
        if (data == NULL)
            data = live_booking_data(event);
        send_missed(l, event, data, now_ns);
    }
    free(data);
}

static void end_round(struct live *live, uint64_t end_seq)
{
    LIST_EACH(struct live_listener, l, &live->listeners, node) {
        if (!l->in_round)
            continue;
        CHECK(l->behind);
        l->in_round = false;
        l->booking_seq = end_seq;
        l->behind = end_seq < live->position.booking;
    }
}

/* Acquires the lock and sends the events of a round. Returns the position at which the round ended. */
static uint64_t send_round(struct live *live, uint64_t after_seq,
                           const Screening__V1__FetchResponse *response)
{
    uint64_t end_seq = after_seq + response->n_events;
    int64_t now_ns = clock_monotonic_ns();
    monitor_lock(&live->monitor);
    begin_round(live, after_seq, end_seq);
    for (size_t i = 0; i < response->n_events; i++)
        send_event(live, response->events[i], now_ns);
    end_round(live, end_seq);
    monitor_unlock(&live->monitor);
    return end_seq;
}

void live_replay(void *context, struct ticker *ticker)
{
    struct live *live = context;
    struct arena arena;
    uint64_t at_seq = 0, after_seq = 0;
    enum round round;
    bool going = true;
    arena_init(&arena);
    while (going && (round = find_begin(live, at_seq, &after_seq)) != ROUND_NONE) {
        const Screening__V1__FetchResponse *response;
        arena_reset(&arena);
        if (round == ROUND_LATER) {
            going = ticker_sleep(ticker, SLOW_PAUSE_MS);
        } else if (fetch(live, after_seq, &arena, &response) == STATUS_OK && response->n_events > 0) {
            at_seq = send_round(live, after_seq, response);
            going = !ticker_stopping(ticker);
        } else {
            going = ticker_sleep(ticker, FAILED_PAUSE_MS); /* the follower detects and handles failures too */
        }
    }
    arena_fini(&arena);
}
