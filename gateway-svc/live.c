#include "live.h"

#include "http_status.h"
#include "live_internal.h"
#include "problem.h"
#include "unary.h"

#include <stdlib.h>
#include <string.h>

#include "base/civil.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"

#include "screening/v1/words.h"

enum { LOOK_MS = 1000, KEEP_ALIVE_LOOKS = 15, REPLAY_MS = 1000, FETCH_MAX = 1000 };

static const char TYPE[] = "text/event-stream";

/* The SSE field that sets the delay in ms before a listener reconnects. */
static const char RETRY[] = "retry: 2000\n";

static const char KEEP_ALIVE[] = ":\n\n"; /* an SSE comment */

static struct metric listeners_now = METRIC("live_listeners", "Listeners of /events");
static struct metric outlived_total =
    METRIC("live_tokens_outlived_total", "Streams of /events that were ended because their token had ended");

/* ---- opening and closing ---- */

/*
 * Ends the stream of a listener whose token would no longer be accepted. Returns whether it has ended. The
 * client reconnects with Last-Event-ID and a new token, or is answered 401.
 */
static bool end_outlived(const struct live *live, struct live_listener *listener)
{
    if (listener->has_outlived || !listener->has_caller ||
        security_still_counts(live->security, &listener->caller))
        return listener->has_outlived;
    metric_add(&outlived_total, 1);
    http_stream_end(listener->stream);
    listener->has_outlived = true;
    return true;
}

/* Ends streams that outlive their tokens. Sends comments, because proxies close idle connections. Moves
 * windows at midnight. */
static void keep_alive(void *context, struct ticker *ticker)
{
    struct live *live = context;
    int32_t today = civil_day_at(clock_now_us());
    (void)ticker;
    live->looks++;
    monitor_lock(&live->monitor);
    LIST_EACH(struct live_listener, l, &live->listeners, node) {
        if (end_outlived(live, l))
            continue;
        if (live->looks % KEEP_ALIVE_LOOKS == 0)
            (void)http_stream_write(l->stream, KEEP_ALIVE, sizeof KEEP_ALIVE - 1);
        if (l->hospital != NULL)
            live_days_move(live, l, today);
    }
    monitor_unlock(&live->monitor);
}

static void register_metrics(void)
{
    metric_register(&listeners_now);
    metric_register(&outlived_total);
    live_send_register_metrics();
}

static enum status open_followers(const struct live_options *options, struct live *live, struct error *error)
{
    const struct event_follower_options booking = {
        .log = SCREENING_LOG_BOOKING,
        .subscriber = "gateway-svc",
        .events_addresses = options->booking_events,
        .channel = live->booking_channel,
        .live = {.begun = live_booking_begun, .take = live_booking_take, .context = live},
        .chunk_max = FETCH_MAX,
    };
    const struct event_follower_options hospital = {
        .log = SCREENING_LOG_HOSPITAL,
        .subscriber = "gateway-svc",
        .events_addresses = options->hospital_events,
        .channel = backend_channel(options->backend, BACKEND_HOSPITAL),
        .live = {.begun = live_hospital_begun, .take = live_hospital_take, .context = live},
        .chunk_max = FETCH_MAX,
    };
    TRY(event_follower_open(&booking, &live->followers[LIVE_BOOKING], error));
    return event_follower_open(&hospital, &live->followers[LIVE_HOSPITAL], error);
}

static enum status open_all(const struct live_options *options, struct live *live, struct error *error)
{
    TRY(live_days_open(live, backend_channel(options->backend, BACKEND_HOSPITAL), &live->days, error));
    live->booking_log =
        rpc_client_create(live->booking_channel, &screening__v1__event_log_service__descriptor);
    if (live->booking_log == NULL)
        return error_no_memory(error);
    TRY(ticker_open(REPLAY_MS, live_replay, live, &live->replayer, error));
    TRY(ticker_open(LOOK_MS, keep_alive, live, &live->keeper, error));
    return open_followers(options, live, error);
}

enum status live_open(const struct live_options *options, struct live **out, struct error *error)
{
    struct live *live = calloc(1, sizeof *live);
    if (live == NULL)
        return error_no_memory(error);
    monitor_init(&live->monitor);
    live->listeners_max = options->listeners_max;
    live->security = options->security;
    live->public_catalogue = options->public_catalogue;
    live->booking_channel = backend_channel(options->backend, BACKEND_BOOKING);
    map_init(&live->customers, DIGEST_SIZE);
    map_init(&live->hospitals, sizeof(struct uuid));
    enum status status = open_all(options, live, error);
    if (status != STATUS_OK) {
        live_close(live);
        return status;
    }
    register_metrics();
    *out = live;
    return STATUS_OK;
}

bool live_begun(struct live *live)
{
    monitor_lock(&live->monitor);
    bool begun = live->known[LIVE_BOOKING] && live->known[LIVE_HOSPITAL];
    monitor_unlock(&live->monitor);
    return begun;
}

void live_stop(struct live *live)
{
    monitor_lock(&live->monitor);
    live->stopping = true;
    LIST_EACH(struct live_listener, l, &live->listeners, node)
        http_stream_end(l->stream);
    monitor_unlock(&live->monitor);
}

void live_close(struct live *live)
{
    if (live == NULL)
        return;
    for (int i = 0; i < LIVE_LOGS; i++)
        event_follower_close(live->followers[i]);
    ticker_close(live->keeper);
    ticker_close(live->replayer);
    live_days_close(live->days);
    rpc_client_destroy(live->booking_log);
    map_fini(&live->customers);
    map_fini(&live->hospitals);
    monitor_fini(&live->monitor);
    free(live);
}

/* ---- listeners ---- */

static void closed(void *context)
{
    struct live_listener *listener = context;
    struct live *live = listener->live;
    monitor_lock(&live->monitor);
    live_registry_remove(live, listener);
    monitor_unlock(&live->monitor);
    metric_add(&listeners_now, -1);
    free(listener);
}

static void respond_busy(struct http_request *request, const char *why)
{
    problem_respond_http(request, HTTP_SERVICE_UNAVAILABLE, why, NULL); /* 503 includes Retry-After */
}

/* Sends the first messages, and sets the position after which the listener gets bookings. */
static void begin(struct live_listener *listener)
{
    if (listener->customer != NULL)
        live_place(listener);
    live_send_position(listener, RETRY);
    if (listener->hospital != NULL)
        live_days_want(listener->live, listener);
}

/*
 * Admits a listener. Returns NULL if the stream now owns the listener, otherwise the reason for a refusal.
 * The caller holds the lock.
 */
static const char *admit(struct live_listener *listener, const struct live_filter *filter,
                         struct http_request *request)
{
    struct live *live = listener->live;
    if (live->stopping)
        return "the gateway is stopping";
    if (live->listener_count >= live->listeners_max)
        return "too many listeners";
    if (live_registry_add(live, listener, filter) != STATUS_OK)
        return "out of memory";
    listener->stream = http_stream_open(request, TYPE, closed, listener);
    if (listener->stream == NULL) {
        live_registry_remove(live, listener);
        return "out of memory";
    }
    metric_add(&listeners_now, 1);
    begin(listener);
    return NULL;
}

/* `caller` is NULL if no token proves who listens. */
static void add_listener(struct live *live, const struct live_filter *filter,
                         const struct auth_caller *caller, const struct live_position *last,
                         struct http_request *request)
{
    struct live_listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL) {
        respond_busy(request, "out of memory");
        return;
    }
    listener->live = live;
    if (caller != NULL) {
        listener->has_caller = true;
        listener->caller = *caller;
        listener->caller.subject = "";
        listener->caller.scope = NULL;
        listener->caller.scope_count = 0;
    }
    if (filter->customer_id != NULL)
        listener->budget_key = live_budget_key(http_client(request), filter->customer_id);
    if (last != NULL) {
        listener->has_begin = true;
        listener->booking_seq = last->booking;
    }
    monitor_lock(&live->monitor);
    const char *why = admit(listener, filter, request);
    bool behind = why == NULL && listener->behind;
    monitor_unlock(&live->monitor);
    if (behind)
        ticker_wake(live->replayer);
    if (why != NULL) {
        free(listener);
        respond_busy(request, why);
    }
}

/* ---- requests ---- */

struct parameters {
    struct live_query query;
    const char *wrong; /* name of an unknown or repeated parameter */
};

static bool take_parameter(void *context, const char *name, const char *value)
{
    struct parameters *parameters = context;
    const char **slot = live_query_slot(&parameters->query, name);
    if (slot == NULL || *slot != NULL) {
        parameters->wrong = name;
        return false;
    }
    *slot = value;
    return true;
}

static void refuse_parameter(struct http_request *request, const char *name)
{
    struct error error;
    const char *shown = text_is_utf8(name, strlen(name)) ? name : "?";
    error_invalid(&error, "%s: no such parameter, or given twice", shown);
    problem_respond_http(request, HTTP_BAD_REQUEST, error.message, NULL);
}

/*
 * Returns the header field Last-Event-ID, which a browser sends when it reconnects. Without the field,
 * returns the query parameter instead, or NULL.
 */
static const char *last_event_id(const struct http_request *request, const struct live_query *query)
{
    const char *header = http_header(request, "Last-Event-ID");
    return header != NULL ? header : query->last_event_id;
}

/*
 * Decides whether the client may listen. Sets *out to the caller, or to NULL if no token is needed. A
 * customer listens to their own bookings, whatever the request says. Availability is part of the catalogue.
 */
static enum status permit(const struct live *live, struct http_request *request, struct live_filter *filter,
                          const struct auth_caller **out, struct error *error)
{
    const struct auth_caller *caller;
    const char *authorization = http_header(request, "Authorization");
    *out = NULL;
    if (filter->customer_id == NULL && authorization == NULL && live->public_catalogue)
        return STATUS_OK;
    TRY(security_identify(live->security, authorization, unary_source(request), http_arena(request), &caller,
                          error));
    *out = caller;
    if ((caller->roles & (AUTH_ADMIN | AUTH_AUDITOR)) != 0)
        return STATUS_OK;
    if (filter->customer_id != NULL && (caller->roles & AUTH_CUSTOMER) != 0)
        filter->customer_id = caller->subject;
    else if (filter->customer_id != NULL || caller->roles == 0)
        return error_set(error, STATUS_PERMISSION_DENIED, SCREENING_REASON_NOT_PERMITTED,
                         "authorization: this caller may not listen to that");
    return STATUS_OK;
}

void live_handle(struct live *live, struct http_request *request)
{
    struct parameters parameters = {.wrong = NULL};
    struct live_filter filter;
    const struct auth_caller *caller;
    struct live_position last;
    struct error error;
    http_set_route(request, "/events");
    if (strcmp(http_method(request), "GET") != 0) {
        problem_respond_http(request, HTTP_METHOD_NOT_ALLOWED, "only GET is allowed", "GET");
        return;
    }
    if (!http_query_visit(request, take_parameter, &parameters)) {
        refuse_parameter(request, parameters.wrong);
        return;
    }
    const char *id = last_event_id(request, &parameters.query);
    bool has_last = id != NULL && id[0] != '\0';
    if (has_last && !live_position_parse(id, &last)) {
        problem_respond_http(request, HTTP_BAD_REQUEST, "Last-Event-ID: must be \"booking:SEQ,hospital:SEQ\"",
                             NULL);
        return;
    }
    int32_t today = civil_day_at(clock_now_us());
    if (live_filter_parse(&parameters.query, today, &filter, &error) != STATUS_OK ||
        permit(live, request, &filter, &caller, &error) != STATUS_OK) {
        problem_respond(request, &error);
        return;
    }
    add_listener(live, &filter, caller, has_last ? &last : NULL, request);
}
