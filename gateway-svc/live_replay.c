/*
 * Listeners that come back are sent what they missed: all that are behind walk through the log together, from
 * the one furthest behind. Who does not read as fast as the others is left to a later round.
 */
#include "live_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

enum { FETCH_EVENTS = 256, UNREAD_MAX = HTTP_STREAM_MAX / 2, SLOW_PAUSE_MS = 50, FAILED_PAUSE_MS = 200 };

static bool takes_more(const struct live_listener *listener)
{
    return http_stream_unread(listener->stream) < UNREAD_MAX;
}

enum round { ROUND_NONE, ROUND_LATER, ROUND_NOW };

/* Where the next round begins. */
static enum round find_begin(struct live *live, uint64_t *after_seq)
{
    enum round round = ROUND_NONE;
    monitor_lock(&live->monitor);
    bool known = live->known[LIVE_BOOKING] && !live->stopping;
    for (const struct live_listener *l = live->listeners; known && l != NULL; l = l->next) {
        if (!l->behind)
            continue;
        if (!takes_more(l)) {
            round = round == ROUND_NONE ? ROUND_LATER : round;
        } else if (round != ROUND_NOW || l->booking_seq < *after_seq) {
            round = ROUND_NOW;
            *after_seq = l->booking_seq;
        }
    }
    monitor_unlock(&live->monitor);
    return round;
}

static enum status fetch(struct live *live, uint64_t after_seq, struct arena *arena,
                         const Screening__V1__FetchResponse **out)
{
    Screening__V1__FetchRequest request = SCREENING__V1__FETCH_REQUEST__INIT;
    char subscriber[] = "gateway-svc";
    request.after_seq = after_seq;
    request.max_events = FETCH_EVENTS;
    request.subscriber = subscriber;
    struct rpc_client_call call = {.idempotent = true};
    ProtobufCMessage *response = NULL;
    if (!rpc_channel_connected(live->booking_channel))
        return STATUS_UNAVAILABLE;
    enum status status =
        rpc_client_call_wait(live->booking_log, "Fetch", &request.base, &call, arena, &response);
    *out = (Screening__V1__FetchResponse *)response;
    return status;
}

static bool is_for(const struct live_listener *listener, const Screening__V1__Event *event)
{
    return live_concerns_customers(event) && strcmp(event->booking->customer_id, listener->customer_id) == 0;
}

/* The events after where the listener stands, as long as it takes them. */
static void send_missed(struct live_listener *listener, const Screening__V1__FetchResponse *response)
{
    for (size_t i = 0; i < response->n_events; i++) {
        const Screening__V1__Event *event = response->events[i];
        if (event->seq <= listener->booking_seq)
            continue;
        if (is_for(listener, event)) {
            if (!takes_more(listener))
                return;
            char *data = live_booking_data(event);
            live_send_booking(listener, event, data);
            free(data);
        }
        listener->booking_seq = event->seq;
    }
    listener->behind = listener->booking_seq < listener->live->position.booking;
}

static void send_round(struct live *live, uint64_t after_seq, const Screening__V1__FetchResponse *response)
{
    monitor_lock(&live->monitor);
    uint64_t end_seq = after_seq + response->n_events;
    for (struct live_listener *l = live->listeners; l != NULL; l = l->next)
        if (l->behind && l->booking_seq >= after_seq && l->booking_seq <= end_seq)
            send_missed(l, response);
    monitor_unlock(&live->monitor);
}

void live_replay(void *context, struct ticker *ticker)
{
    struct live *live = context;
    struct arena arena;
    uint64_t after_seq = 0;
    enum round round;
    bool going = true;
    arena_init(&arena);
    while (going && (round = find_begin(live, &after_seq)) != ROUND_NONE) {
        const Screening__V1__FetchResponse *response;
        arena_reset(&arena);
        if (round == ROUND_LATER) {
            going = ticker_sleep(ticker, SLOW_PAUSE_MS);
        } else if (fetch(live, after_seq, &arena, &response) == STATUS_OK && response->n_events > 0) {
            send_round(live, after_seq, response);
            going = !ticker_stopping(ticker);
        } else {
            going = ticker_sleep(ticker, FAILED_PAUSE_MS); /* the feed notices too, and does what is to do */
        }
    }
    arena_fini(&arena);
}
