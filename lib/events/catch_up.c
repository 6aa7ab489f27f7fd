#include "event_text.h"
#include "fetch_client.h"
#include "follower.h"
#include "sequence.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"

static struct metric fetches_total = METRIC("events_fetches_total", "Fetches sent to other logs");

static enum status fetch(struct event_subscriber *follower, const Screening__V1__FetchResponse **out,
                         struct error *error)
{
    /* A call without a connection would wait for one until its budget is spent. */
    if (!rpc_channel_connected(follower->channel))
        return error_set(error, STATUS_UNAVAILABLE, NULL, "no connection");
    char after_event_id[UUID_TEXT_SIZE];
    Screening__V1__FetchRequest request = SCREENING__V1__FETCH_REQUEST__INIT;
    request.after_seq = follower->cursor.seq;
    request.after_event_id = event_id_format(&follower->cursor.event_id, after_event_id);
    request.max_events = EVENT_CHUNK_MAX;
    request.subscriber = follower->name;
    metric_add(&fetches_total, 1);
    return fetch_client_call(follower->client, &request, &follower->monitor, &follower->closing,
                             &follower->arena, out, error);
}

/* DATA_LOSS if this is not the log that the cursor belongs to; INTERNAL for an answer that makes no sense. */
static enum status check_response(struct event_subscriber *follower,
                                  const Screening__V1__FetchResponse *response, struct error *error)
{
    struct event_cursor cursor = follower->cursor;
    struct uuid log_id;
    if (!uuid_parse(response->log_id, &log_id))
        return error_set(error, STATUS_INTERNAL, NULL, "log_id: must be a UUID");
    if (cursor.seq == 0) {
        cursor.log_id = log_id; /* first contact: the first chunk stores it */
        follower_note_cursor(follower, &cursor);
    }
    if (!uuid_equal(&cursor.log_id, &log_id))
        return error_set(error, STATUS_DATA_LOSS, NULL, "the publisher has another log");
    if (response->first_seq > cursor.seq + 1)
        return error_set(error, STATUS_DATA_LOSS, NULL, "the log begins only at seq %llu",
                         (unsigned long long)response->first_seq);
    bool complete = response->n_events > 0 || response->head_seq <= cursor.seq;
    if (!complete || !sequence_is_gapless(response->events, response->n_events, cursor.seq + 1))
        return error_set(error, STATUS_INTERNAL, NULL, "events are missing in the answer");
    return STATUS_OK;
}

static void fetch_failed(struct event_subscriber *follower, enum status status, const struct error *error)
{
    if (status == STATUS_DATA_LOSS) {
        follower_halt(follower, SUBSCRIBER_DIVERGED, error->message);
        return;
    }
    if (status == STATUS_CANCELLED)
        return; /* closing */
    if (!follower->fetch_failing)
        log_event(LOG_WARN, "events.fetch_failed", LOG_TEXT("log", follower->log),
                  LOG_TEXT("status", status_name(status)), LOG_TEXT("why", error->message));
    follower->fetch_failing = true;
    follower_fetch_at(follower, clock_monotonic_ns() + backoff_next_ns(&follower->fetch_backoff));
}

/* One fetch and its events; true if there may be more. */
static bool fetch_and_apply(struct event_subscriber *follower)
{
    const Screening__V1__FetchResponse *response = NULL;
    struct error error = {0};
    arena_reset(&follower->arena);
    enum status status = fetch(follower, &response, &error);
    follower->fetched_ns = clock_monotonic_ns();
    if (status == STATUS_OK)
        status = check_response(follower, response, &error);
    if (status != STATUS_OK) {
        fetch_failed(follower, status, &error);
        return false;
    }
    if (follower->fetch_failing)
        log_event(LOG_INFO, "events.fetch_works_again", LOG_TEXT("log", follower->log));
    follower->fetch_failing = false;
    backoff_reset(&follower->fetch_backoff);
    follower_note_head(follower, response->head_seq);
    enum apply_result result = follower_apply(follower, response->events, response->n_events);
    if (result == APPLY_ENDED)
        return false;
    bool more = result == APPLY_LOST || follower->cursor.seq < response->head_seq;
    if (!more) {
        monitor_lock(&follower->monitor);
        follower->progress.caught_up = true;
        monitor_unlock(&follower->monitor);
    }
    return more;
}

void follower_catch_up(struct event_subscriber *follower)
{
    metric_register(&fetches_total);
    follower_look_after_connections(follower);
    follower->gap_ns = follower->fetch_ns = 0;
    monitor_lock(&follower->monitor);
    if (follower->inbox.fetch_wanted)
        follower->progress.caught_up = false;
    follower->inbox.fetch_wanted = false;
    monitor_unlock(&follower->monitor);
    bool more = true;
    while (more && !follower_closing(follower))
        more = fetch_and_apply(follower);
}
