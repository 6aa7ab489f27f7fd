/*
 * Unlike a subscriber (lib/events), a feed keeps neither early messages nor a cursor: it fetches missing
 * events, and restarts at the head when the log was replaced.
 *
 * nng's threads take the monitor's lock, so it is not held during calls into nng.
 */
#include "live_feed.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "events/event_text.h"
#include "events/fetch_client.h"
#include "events/inbox.h"
#include "events/sequence.h"
#include "rpc/wire.h"

enum {
    SILENCE_MS = 3000,      /* fetch after this time without a message */
    SILENT_FETCH_MS = 1000, /* then fetch again at this interval */
    GAP_WAIT_MS = 10,
    FETCH_EVENTS = 1000,
    RETRY_FIRST_MS = 20,
    RETRY_MAX_MS = 1000,
};

struct live_feed {
    struct live_feed_options options;
    struct monitor monitor;
    struct inbox inbox;
    struct rpc_client *client;
    pthread_t thread;
    bool closing; /* guarded by the monitor */
    /* private to the thread */
    struct event_cursor end; /* the last event handed out; its log_id is zero before the first contact */
    struct arena arena;      /* holds the current message */
    int64_t fetch_ns;        /* when a requested fetch is due; 0 = none */
    int64_t fetched_ns;      /* when the last fetch ended */
    struct backoff backoff;
    bool failing; /* the failure is logged already */
};

static int64_t after_ms(int64_t ms)
{
    return clock_monotonic_ns() + ms * NS_PER_MS;
}

/* Schedules a fetch unless one is due earlier. While fetches fail, messages do not speed up the retry. */
static void fetch_at(struct live_feed *feed, int64_t at_ns)
{
    if (feed->fetch_ns == 0 || (!feed->failing && at_ns < feed->fetch_ns))
        feed->fetch_ns = at_ns;
}

/* ---- Fetch ---- */

/*
 * Fails at once without a connection, since a call would wait for one until its budget is spent. The response
 * lives until the caller ends the call; *call is NULL if none was begun.
 */
static enum status fetch(struct live_feed *feed, uint64_t after_seq, char *after_event_id, uint32_t count,
                         struct fetch_call **call, const Screening__V1__FetchResponse **out,
                         struct error *error)
{
    Screening__V1__FetchRequest request = SCREENING__V1__FETCH_REQUEST__INIT;
    request.after_seq = after_seq;
    request.after_event_id = after_event_id;
    request.max_events = count;
    request.subscriber = "gateway-svc";
    *call = rpc_channel_connected(feed->options.channel)
                ? fetch_call_begin(feed->client, &request, &feed->monitor)
                : NULL;
    if (*call == NULL)
        return error_set(error, STATUS_UNAVAILABLE, NULL, "no connection");
    enum status status = fetch_call_wait(*call, &feed->closing, out, error);
    feed->fetched_ns = clock_monotonic_ns();
    return status;
}

static enum status read_head(struct live_feed *feed, uint64_t *seq, struct uuid *log_id, struct error *error)
{
    struct fetch_call *call;
    const Screening__V1__FetchResponse *response = NULL;
    char any[] = "";
    enum status status = fetch(feed, 0, any, 1, &call, &response, error);
    if (status == STATUS_OK && !uuid_parse(response->log_id, log_id))
        status = error_set(error, STATUS_INTERNAL, NULL, "log_id: must be a UUID");
    if (status == STATUS_OK)
        *seq = response->head_seq;
    fetch_call_end(call);
    return status;
}

/* Reads the id of the event at that seq, to check that the next message follows it. */
static enum status read_event_id(struct live_feed *feed, struct event_cursor *at, struct error *error)
{
    struct fetch_call *call;
    const Screening__V1__FetchResponse *response = NULL;
    struct uuid log_id;
    char any[] = "";
    enum status status = fetch(feed, at->seq - 1, any, 1, &call, &response, error);
    if (status == STATUS_OK &&
        (!uuid_parse(response->log_id, &log_id) || !uuid_equal(&log_id, &at->log_id) ||
         response->n_events == 0 || !sequence_is_gapless(response->events, 1, at->seq) ||
         !uuid_parse(response->events[0]->event_id, &at->event_id)))
        status = error_set(error, STATUS_UNAVAILABLE, NULL, "the log changed while its head was read");
    fetch_call_end(call);
    return status;
}

static enum status begin_at_head(struct live_feed *feed, struct error *error)
{
    struct event_cursor end = {.seq = 0};
    TRY(read_head(feed, &end.seq, &end.log_id, error));
    if (end.seq > 0)
        TRY(read_event_id(feed, &end, error));
    feed->end = end;
    log_event(LOG_INFO, "live.begun", LOG_TEXT("log", feed->options.log), LOG_INT("seq", end.seq));
    feed->options.begun(feed->options.context, end.seq);
    return STATUS_OK;
}

/* DATA_LOSS if the followed log was replaced or lacks events; INTERNAL for a malformed response. */
static enum status check_response(const struct live_feed *feed, const Screening__V1__FetchResponse *response,
                                  struct error *error)
{
    struct uuid log_id;
    if (!uuid_parse(response->log_id, &log_id))
        return error_set(error, STATUS_INTERNAL, NULL, "log_id: must be a UUID");
    if (!uuid_equal(&log_id, &feed->end.log_id))
        return error_set(error, STATUS_DATA_LOSS, NULL, "the publisher has another log");
    bool complete = response->n_events > 0 || response->head_seq <= feed->end.seq;
    if (!complete || !sequence_is_gapless(response->events, response->n_events, feed->end.seq + 1))
        return error_set(error, STATUS_DATA_LOSS, NULL, "events are missing in the answer");
    return STATUS_OK;
}

/* The events must follow those handed out before, and each must have an id. */
static void hand_out(struct live_feed *feed, Screening__V1__Event *const *events, size_t count)
{
    if (count == 0)
        return;
    feed->options.take(feed->options.context, events, count);
    feed->end.seq = events[count - 1]->seq;
    if (!uuid_parse(events[count - 1]->event_id, &feed->end.event_id))
        feed->end.event_id = (struct uuid){{0}}; /* unreachable: the sequence check covers it */
}

/* Sets *more if the head is not reached yet. */
static enum status fetch_next(struct live_feed *feed, bool *more, struct error *error)
{
    char after_event_id[UUID_TEXT_SIZE];
    struct fetch_call *call;
    const Screening__V1__FetchResponse *response = NULL;
    enum status status = fetch(feed, feed->end.seq, event_id_format(&feed->end.event_id, after_event_id),
                               FETCH_EVENTS, &call, &response, error);
    if (status == STATUS_OK)
        status = check_response(feed, response, error);
    if (status == STATUS_OK) {
        hand_out(feed, response->events, response->n_events);
        *more = feed->end.seq < response->head_seq;
    }
    fetch_call_end(call);
    return status;
}

static void note_outcome(struct live_feed *feed, enum status status, const struct error *error)
{
    if (status == STATUS_OK) {
        if (feed->failing)
            log_event(LOG_INFO, "live.fetch_works_again", LOG_TEXT("log", feed->options.log));
        feed->failing = false;
        backoff_reset(&feed->backoff);
        return;
    }
    if (!feed->failing)
        log_event(LOG_WARN, "live.fetch_failed", LOG_TEXT("log", feed->options.log),
                  LOG_TEXT("status", status_name(status)), LOG_TEXT("why", error->message));
    feed->failing = true;
    fetch_at(feed, clock_monotonic_ns() + backoff_next_ns(&feed->backoff));
}

static bool is_closing(struct live_feed *feed)
{
    monitor_lock(&feed->monitor);
    bool closing = feed->closing;
    monitor_unlock(&feed->monitor);
    return closing;
}

/* Fetches up to the head, or until a failure, which schedules a retry. */
static void catch_up(struct live_feed *feed)
{
    inbox_look_after(&feed->inbox);
    feed->fetch_ns = 0;
    monitor_lock(&feed->monitor);
    feed->inbox.fetch_wanted = false;
    monitor_unlock(&feed->monitor);
    struct error error = {0};
    enum status status = STATUS_OK;
    bool more = true;
    while (more && status == STATUS_OK && !is_closing(feed)) {
        if (uuid_is_zero(&feed->end.log_id))
            status = begin_at_head(feed, &error);
        if (status == STATUS_OK)
            status = fetch_next(feed, &more, &error);
    }
    if (status == STATUS_DATA_LOSS)
        feed->end = (struct event_cursor){.seq = 0}; /* the next one restarts at the head */
    if (status != STATUS_CANCELLED)                  /* closing */
        note_outcome(feed, status, &error);
}

/* ---- messages ---- */

static void take_in(struct live_feed *feed, nng_msg *message)
{
    arena_reset(&feed->arena);
    Screening__V1__EventBatch *batch = (Screening__V1__EventBatch *)wire_unpack_answer(
        &screening__v1__event_batch__descriptor, nng_msg_body(message), nng_msg_len(message), &feed->arena,
        NULL);
    nng_msg_free(message);
    size_t skip = 0;
    switch (batch != NULL ? sequence_place(&feed->end, batch, &skip) : BATCH_DOUBT) {
    case BATCH_OLD:
        break;
    case BATCH_NEXT:
        hand_out(feed, batch->events + skip, batch->n_events - skip);
        break;
    case BATCH_LATER:
        fetch_at(feed, after_ms(GAP_WAIT_MS));
        break;
    case BATCH_DOUBT:
        fetch_at(feed, clock_monotonic_ns());
        break;
    }
}

/* ---- the thread ---- */

/* When the next fetch is due if no message arrives. With the monitor's lock held. */
static int64_t next_fetch_ns(const struct live_feed *feed)
{
    int64_t due_ns = feed->inbox.heard_ns + (int64_t)SILENCE_MS * NS_PER_MS;
    int64_t again_ns = feed->fetched_ns + (int64_t)SILENT_FETCH_MS * NS_PER_MS;
    if (due_ns < again_ns)
        due_ns = again_ns;
    return feed->fetch_ns != 0 && feed->fetch_ns < due_ns ? feed->fetch_ns : due_ns;
}

enum next_step { STEP_END, STEP_FETCH, STEP_TAKE_IN };

/* Waits for the next step. For STEP_TAKE_IN the caller owns *message. */
static enum next_step wait_for_step(struct live_feed *feed, nng_msg **message)
{
    enum next_step step;
    monitor_lock(&feed->monitor);
    for (;;) {
        int64_t fetch_ns = next_fetch_ns(feed);
        bool may_fetch = !feed->failing || clock_monotonic_ns() >= fetch_ns;
        if (feed->closing)
            step = STEP_END;
        else if (may_fetch && (feed->inbox.fetch_wanted || clock_monotonic_ns() >= fetch_ns))
            step = STEP_FETCH;
        else if ((*message = inbox_take(&feed->inbox)) != NULL)
            step = STEP_TAKE_IN;
        else {
            monitor_wait(&feed->monitor, fetch_ns);
            continue;
        }
        break;
    }
    monitor_unlock(&feed->monitor);
    return step;
}

static void *run(void *context)
{
    struct live_feed *feed = context;
    nng_msg *message = NULL;
    for (;;) {
        switch (wait_for_step(feed, &message)) {
        case STEP_END:
            return NULL;
        case STEP_FETCH:
            catch_up(feed);
            break;
        case STEP_TAKE_IN:
            take_in(feed, message);
            break;
        }
    }
}

/* ---- open and close ---- */

static enum status start(struct live_feed *feed, struct error *error)
{
    const struct live_feed_options *options = &feed->options;
    TRY(inbox_open(&feed->inbox, options->log, options->address, &feed->monitor, error));
    if (pthread_create(&feed->thread, NULL, run, feed) != 0) {
        inbox_close(&feed->inbox);
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "no thread to follow the %s log",
                         options->log);
    }
    return STATUS_OK;
}

static void destroy(struct live_feed *feed)
{
    rpc_client_destroy(feed->client);
    arena_fini(&feed->arena);
    monitor_fini(&feed->monitor);
    free(feed);
}

enum status live_feed_open(const struct live_feed_options *options, struct live_feed **out,
                           struct error *error)
{
    struct live_feed *feed = calloc(1, sizeof *feed);
    if (feed == NULL)
        return error_no_memory(error);
    monitor_init(&feed->monitor);
    feed->options = *options;
    feed->backoff = (struct backoff){.first_ms = RETRY_FIRST_MS, .max_ms = RETRY_MAX_MS};
    arena_init(&feed->arena);
    feed->client = rpc_client_create(options->channel, &screening__v1__event_log_service__descriptor);
    enum status status = feed->client != NULL ? start(feed, error) : error_no_memory(error);
    if (status != STATUS_OK) {
        destroy(feed);
        return status;
    }
    *out = feed;
    return STATUS_OK;
}

void live_feed_close(struct live_feed *feed)
{
    if (feed == NULL)
        return;
    monitor_lock(&feed->monitor);
    feed->closing = true;
    monitor_notify(&feed->monitor);
    monitor_unlock(&feed->monitor);
    pthread_join(feed->thread, NULL);
    inbox_close(&feed->inbox);
    destroy(feed);
}
