#include "base/clock.h"
#include "base/metrics.h"
#include "events/event_text.h"
#include "events/follower_internal.h"
#include "events/sequence.h"

enum { FETCH_TIMEOUT_MS = 2000 };

static struct metric fetches_total = METRIC("events_fetches_total", "Fetches sent to other logs");

struct fetch_call *follower_begin_fetch(struct event_follower *follower, uint64_t after_seq,
                                        char *after_event_id, size_t max_events)
{
    /* Without a connection, the call could only wait for one. */
    if (!rpc_channel_connected(follower->channel))
        return NULL;
    Screening__V1__FetchRequest request = SCREENING__V1__FETCH_REQUEST__INIT;
    request.after_seq = after_seq;
    request.after_event_id = after_event_id;
    request.max_events = (uint32_t)max_events;
    request.subscriber = (char *)follower->name;
    metric_add(&fetches_total, 1);
    /* Unguarded, because the follower has its own backoff. */
    const struct rpc_client_call options = {
        .timeout_ms = FETCH_TIMEOUT_MS, .unguarded = true, .own_token = true, .idempotent = true};
    return fetch_call_begin(follower->client, &request, &options, &follower->monitor);
}

enum status follower_wait_fetch(struct event_follower *follower, struct fetch_call *call,
                                const Screening__V1__FetchResponse **out, struct error *error)
{
    enum status status = call != NULL ? fetch_call_wait(call, &follower->closing, out, error)
                                      : error_set(error, STATUS_UNAVAILABLE, NULL, "no connection");
    follower->fetched_ns = clock_monotonic_ns();
    return status;
}

/*
 * Checks a Fetch reply. Returns DATA_LOSS if the reply is from a different log, or if the log no longer has
 * the event after the cursor. Returns INTERNAL if log_id is malformed. If events are missing from the reply,
 * returns DATA_LOSS for a cursor in memory, which can begin again at the head, and INTERNAL for any other,
 * which must not skip events.
 */
static enum status check_response(struct event_follower *follower,
                                  const Screening__V1__FetchResponse *response, struct error *error)
{
    struct event_cursor cursor = follower->cursor;
    struct uuid log_id;
    if (!uuid_parse(response->log_id, &log_id))
        return error_set(error, STATUS_INTERNAL, NULL, "log_id: must be a UUID");
    if (follower->kind->load == NULL ? cursor.seq == 0 : uuid_is_zero(&cursor.log_id)) {
        cursor.log_id = log_id; /* first contact; log_id is stored with the first chunk */
        follower_note_cursor(follower, &cursor);
    }
    if (!uuid_equal(&cursor.log_id, &log_id))
        return error_set(error, STATUS_DATA_LOSS, NULL, "the publisher has another log");
    if (response->first_seq > cursor.seq + 1)
        return error_set(error, STATUS_DATA_LOSS, NULL, "the log begins only at seq %llu",
                         (unsigned long long)response->first_seq);
    bool complete = response->n_events > 0 || response->head_seq <= cursor.seq;
    if (!complete || !sequence_is_gapless(response->events, response->n_events, cursor.seq + 1))
        return error_set(error, follower->kind->may_skip ? STATUS_DATA_LOSS : STATUS_INTERNAL, NULL,
                         "events are missing in the answer");
    return STATUS_OK;
}

static void fetch_failed(struct event_follower *follower, enum status status, const struct error *error)
{
    if (status == STATUS_CANCELLED && follower_closing(follower)) /* otherwise the publisher sent CANCELLED */
        return;
    if (status == STATUS_DATA_LOSS && follower->kind->lost(follower, error->message))
        return;
    if (!follower->fetch_failing)
        follower->kind->note_fetch(follower, status, error);
    follower->fetch_failing = true;
    follower_fetch_at(follower, clock_monotonic_ns() + backoff_next_ns(&follower->fetch_backoff));
}

static void note_fetch_works(struct event_follower *follower)
{
    if (follower->fetch_failing)
        follower->kind->note_fetch(follower, STATUS_OK, NULL);
    follower->fetch_failing = false;
    backoff_reset(&follower->fetch_backoff);
}

static void note_caught_up(struct event_follower *follower)
{
    monitor_lock(&follower->monitor);
    follower->progress.caught_up = true;
    monitor_unlock(&follower->monitor);
}

/* Waits for the reply to *call. If *call is NULL, first requests the events after the cursor. */
static enum status fetch(struct event_follower *follower, struct fetch_call **call,
                         const Screening__V1__FetchResponse **out, struct error *error)
{
    char after_event_id[UUID_TEXT_SIZE];
    if (*call == NULL) {
        follower->asked_from_era = follower->cursor.era;
        *call = follower_begin_fetch(follower, follower->cursor.seq,
                                     event_id_format(&follower->cursor.event_id, after_event_id),
                                     follower->chunk_max);
    }
    enum status status = follower_wait_fetch(follower, *call, out, error);
    return status == STATUS_OK ? check_response(follower, *out, error) : status;
}

/*
 * Enters the era of a Fetch reply. The publisher has verified that in this era its log contains the event at
 * the cursor. A head that was reported in another era may no longer exist.
 */
static void note_answer(struct event_follower *follower, const Screening__V1__FetchResponse *response)
{
    if ((int64_t)response->era != follower->era)
        follower_lower_head(follower, response->head_seq);
    follower_note_head(follower, response->head_seq);
    follower->era = (int64_t)response->era;
    follower->from_era = follower->asked_from_era;
}

/*
 * Applies a Fetch reply. Before that, requests the following events, so that the publisher reads while we
 * write. Sets *next to that fetch, or to NULL if there is none. Returns true if there may be more events to
 * fetch.
 */
static bool apply_and_fetch_next(struct event_follower *follower,
                                 const Screening__V1__FetchResponse *response, struct fetch_call **next)
{
    const Screening__V1__Event *last =
        response->n_events > 0 ? response->events[response->n_events - 1] : NULL;
    if (last != NULL && last->seq < response->head_seq) {
        follower->asked_from_era = follower->era; /* the cursor's era once the reply has been applied */
        *next = follower_begin_fetch(follower, last->seq, last->event_id, follower->chunk_max);
    }
    enum apply_result result = follower->kind->apply(follower, response->events, response->n_events);
    if (result == APPLY_DONE && follower->cursor.seq < response->head_seq)
        return true;
    if (result == APPLY_DONE)
        note_caught_up(follower);
    fetch_call_end(*next);
    *next = NULL;
    return result == APPLY_LOST;
}

/*
 * Completes one fetch (*call, or a new one if *call is NULL) and applies its events. Sets *call to the next
 * fetch, or to NULL if there is none. Returns true if there may be more events to fetch.
 */
static bool fetch_and_apply(struct event_follower *follower, struct fetch_call **call)
{
    const Screening__V1__FetchResponse *response = NULL;
    struct fetch_call *next = NULL;
    struct error error = {0};
    bool more = false;
    enum status status = STATUS_OK;
    if (follower->kind->load != NULL && uuid_is_zero(&follower->cursor.log_id))
        status = follower->kind->load(follower, &error);
    if (status == STATUS_OK)
        status = fetch(follower, call, &response, &error);
    if (status == STATUS_OK) {
        note_fetch_works(follower);
        note_answer(follower, response);
        more = apply_and_fetch_next(follower, response, &next);
    } else {
        fetch_failed(follower, status, &error);
    }
    fetch_call_end(*call);
    *call = next;
    return more;
}

bool follower_ask_again(struct event_follower *follower)
{
    const Screening__V1__FetchResponse *response = NULL;
    struct fetch_call *call = NULL;
    struct error error = {0};
    enum status status = fetch(follower, &call, &response, &error);
    fetch_call_end(call);
    return status == STATUS_OK;
}

void follower_catch_up(struct event_follower *follower)
{
    metric_register(&fetches_total);
    inbox_look_after(&follower->inbox);
    follower->gap_ns = follower->fetch_ns = 0;
    monitor_lock(&follower->monitor);
    if (follower->inbox.fetch_wanted || follower->inbox.dropped)
        follower->progress.caught_up = false;
    follower->inbox.fetch_wanted = follower->inbox.dropped = false;
    monitor_unlock(&follower->monitor);
    struct fetch_call *call = NULL;
    bool more = true;
    while (more && !follower_closing(follower))
        more = fetch_and_apply(follower, &call);
    fetch_call_end(call);
}
