/*
 * While reserver->lock is held, no other lock is acquired and no callback runs.
 *
 * Two calls in flight keep both services busy. While these take long, more are sent, one every PACE_MS. So a
 * stalled hospital-svc does not delay later callers, and batches stay large while it responds.
 *
 * Background placements are those of the settler for which no client waits. They have a separate list and
 * separate calls, which are small and sent one at a time. So few of these bookings can be ahead of a
 * customer's booking, even in hospital-svc.
 */
#include "reserver.h"

#include "budget.h"
#include "verdict.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/civil.h"
#include "base/clock.h"
#include "base/fault_point.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/ticker.h"
#include "rpc/guard.h"

#include "screening/v1/hospital.pb-c.h"
#include "screening/v1/words.h"

enum {
    CALLS_ALWAYS = 2,
    BACKGROUND_BATCH = 128,
    PACE_MS = 20,
};

static struct metric calls_total = METRIC("reserve_calls_total", "BatchReserve calls sent");
static struct metric calls_failed_total =
    METRIC("reserve_calls_failed_total", "BatchReserve calls without an answer");
static struct metric not_executed_total =
    METRIC("reserve_retries_total", "Reserves to be sent again: not executed");

struct reserver {
    struct placements *table;
    struct rpc_client *client;
    struct rpc_guard *guard; /* owned by the channel */
    struct reserver_options options;
    _Atomic int64_t booking_era, hospital_era; /* the eras as of the last batch */
    pthread_mutex_t lock;                      /* guards the fields below */
    pthread_cond_t idle;                       /* signalled when `busy` decreases */
    struct queue ready, background;
    struct queue delayed;      /* placements to be sent again, each at its not_before_ns */
    size_t in_flight;          /* number of calls in flight, except the background call */
    bool background_in_flight; /* whether the background call is in flight */
    size_t busy;               /* calls in flight and answers being processed; closing waits for 0 */
    int64_t last_sent_ns;
    bool stopping;
    struct ticker *timer;
};

/* One BatchReserve call, with the request and everything that the request points to. */
struct reserve_call {
    struct rpc_client_call call;
    struct reserver *reserver;
    struct queue placements;
    size_t count;
    bool background;
    uint64_t era; /* the breaker's era when it admitted the call */
    int64_t booking_era;
    struct reserve_item {
        Screening__V1__ReserveRequest message;
        char booking_id[UUID_TEXT_SIZE], hospital_id[UUID_TEXT_SIZE], date[CIVIL_TEXT_SIZE];
    } items[];
};

/* Adds a placement to the list from which it will be sent. The caller holds the lock. */
static void add_ready(struct reserver *reserver, struct placement *placement)
{
    queue_put(placement_is_background(placement) ? &reserver->background : &reserver->ready,
              &placement->node);
}

/* ---- answers ---- */

/* Adds the outcome of one booking in a call. A booking that will be sent again counts as BREAKER_NOTHING. */
static void count_for_breaker(struct breaker_count *count, enum breaker_outcome outcome)
{
    switch (outcome) {
    case BREAKER_SUCCESS:
        count->successes++;
        break;
    case BREAKER_FAILURE:
        count->failures++;
        break;
    case BREAKER_NOTHING:
        count->nothing++;
        break;
    }
}

/* Evaluates each booking of an answered or failed call, then settles the booking or schedules another try. */
static void apply_results(struct reserve_call *reserve, const Screening__V1__BatchReserveResponse *response)
{
    const struct error *error = &reserve->call.error;
    struct queue settled = {0}, again = {0};
    struct breaker_count count = {0};
    int64_t now_ns = clock_monotonic_ns();
    size_t i = 0;
    for (struct queue_node *node; (node = queue_take(&reserve->placements)) != NULL; i++) {
        struct placement *placement = container_of(node, struct placement, node);
        struct verdict verdict = {
            .code = error->status,
            .reason = error->reason,
            .left = reserve->call.left,
            .refused_later = reserve->call.refused_later,
            .retry_after_ms = error->retry_after_ms,
            .had_ms = reserve->call.timeout_ms,
            .fair_ms = reserve->reserver->options.timeout_ms / 2,
        };
        if (response != NULL) {
            verdict.code = (enum status)response->results[i]->code;
            verdict.reason = response->results[i]->reason;
            verdict.retry_after_ms = 0;
            placement->command.era = (int64_t)response->era;
            placement->command.own_era = reserve->booking_era;
        }
        bool ended = verdict_apply(&verdict, placement, now_ns);
        count_for_breaker(&count, ended ? verdict_for_breaker(&verdict, placement, now_ns) : BREAKER_NOTHING);
        queue_put(ended ? &settled : &again, node);
        if (!ended)
            metric_add(&not_executed_total, 1);
    }
    CHECK(i == reserve->count);
    rpc_guard_record(reserve->reserver->guard, reserve->era, &count); /* before any client is answered */
    if (strcmp(error->reason, SCREENING_REASON_RECOVERING) == 0)
        placements_look(reserve->reserver->table); /* the eras in the request may be outdated */
    placement_settle(reserve->reserver->table, settled);
    pthread_mutex_lock(&reserve->reserver->lock);
    queue_append(&reserve->reserver->delayed, again);
    pthread_mutex_unlock(&reserve->reserver->lock);
}

/* Stops counting a call as in flight. The caller holds the lock. */
static void count_down(struct reserver *reserver, bool background)
{
    CHECK(background ? reserver->background_in_flight : reserver->in_flight > 0);
    if (background)
        reserver->background_in_flight = false;
    else
        reserver->in_flight--;
}

/* Ends a call that was counted as in flight, without sending the next one. */
static void call_ended(struct reserver *reserver, bool background)
{
    pthread_mutex_lock(&reserver->lock);
    count_down(reserver, background);
    CHECK(reserver->busy > 0);
    reserver->busy--;
    pthread_cond_signal(&reserver->idle);
    pthread_mutex_unlock(&reserver->lock);
}

/* Ends a call and sends waiting placements. The reserver exists at least until `busy` is decremented. */
static void send_next(struct reserver *reserver, bool background)
{
    pthread_mutex_lock(&reserver->lock);
    count_down(reserver, background);
    pthread_mutex_unlock(&reserver->lock);
    reserver_flush(reserver);
    pthread_mutex_lock(&reserver->lock);
    CHECK(reserver->busy > 0);
    reserver->busy--;
    pthread_cond_signal(&reserver->idle);
    pthread_mutex_unlock(&reserver->lock);
}

static void answered(const Screening__V1__BatchReserveResponse *response, void *closure_data)
{
    struct reserve_call *reserve = container_of(closure_data, struct reserve_call, call);
    struct reserver *reserver = reserve->reserver;
    FAULT_POINT("reserve.after_call");
    if (response != NULL && response->n_results != reserve->count) {
        error_set(&reserve->call.error, STATUS_INTERNAL, NULL, "BatchReserve answered %zu of %zu bookings",
                  response->n_results, reserve->count);
        response = NULL;
    }
    if (response == NULL) {
        metric_add(&calls_failed_total, 1);
        log_event(LOG_DEBUG, "reserve.failed", LOG_TEXT("status", status_name(reserve->call.error.status)),
                  LOG_TEXT("message", reserve->call.error.message), LOG_INT("bookings", reserve->count));
    }
    apply_results(reserve, response);
    bool background = reserve->background;
    free(reserve);
    send_next(reserver, background);
}

/* ---- sending ---- */

static void fill_item(struct reserve_item *item, const struct placement *placement)
{
    screening__v1__reserve_request__init(&item->message);
    item->message.booking_id = uuid_format(&placement->command.booking_id, item->booking_id);
    item->message.hospital_id = uuid_format(&placement->hospital_id, item->hospital_id);
    item->message.date = civil_format(placement->day, item->date);
    item->message.headcount = placement->headcount;
}

/* Settles placements with an unknown outcome, without another try. */
static void give_up(struct reserver *reserver, struct queue placements)
{
    LIST_EACH(struct placement, placement, &placements, node) {
        placement->command.outcome = PLACEMENT_UNKNOWN;
        placement->command.reason = "";
    }
    placement_settle(reserver->table, placements);
}

/* The placements to send in one call. */
struct departure {
    struct queue placements;
    bool background;
    size_t count;
};

/*
 * Sends one BatchReserve for placements that the breaker admitted in `era`. `answered` runs even if the call
 * could not be sent. When out of memory, send_call gives up the placements.
 */
static void send_call(struct reserver *reserver, const struct departure *departure, uint64_t era,
                      int64_t now_ns)
{
    size_t count = departure->count;
    struct reserve_call *reserve = calloc(1, sizeof *reserve + count * sizeof(struct reserve_item));
    Screening__V1__ReserveRequest **requests = calloc(count, sizeof *requests);
    if (reserve == NULL || requests == NULL) {
        free(reserve);
        free(requests);
        rpc_guard_record(reserver->guard, era, &(struct breaker_count){.nothing = count});
        give_up(reserver, departure->placements);
        call_ended(reserver, departure->background);
        return;
    }
    reserve->reserver = reserver;
    reserve->placements = departure->placements;
    reserve->count = count;
    reserve->background = departure->background;
    reserve->era = era;
    reserve->call.unguarded = true;
    reserve->call.own_token = true;
    reserve->call.idempotent = true; /* by booking_id */
    reserve->call.timeout_ms =
        budget_timeout_ms(&departure->placements, reserver->options.timeout_ms, now_ns);
    reserve->call.traceparent =
        container_of(departure->placements.first, struct placement, node)->command.traceparent;
    size_t i = 0;
    LIST_EACH(struct placement, placement, &departure->placements, node) {
        if (placement->first_sent_ns == 0)
            placement->first_sent_ns = now_ns;
        fill_item(&reserve->items[i], placement);
        requests[i] = &reserve->items[i].message;
        i++;
    }
    CHECK(i == count && count > 0);
    Screening__V1__BatchReserveRequest request = SCREENING__V1__BATCH_RESERVE_REQUEST__INIT;
    request.requests = requests;
    request.n_requests = count;
    reserve->booking_era = atomic_load(&reserver->booking_era);
    request.booking_era = (uint64_t)reserve->booking_era;
    request.hospital_era = (uint64_t)atomic_load(&reserver->hospital_era);
    metric_add(&calls_total, 1);
    FAULT_POINT("reserve.before_call");
    screening__v1__hospital_service__batch_reserve(rpc_client_service(reserver->client), &request, answered,
                                                   &reserve->call);
    free(requests);
}

/* Returns whether a call for waiting clients may be sent now. The caller holds the lock. */
static bool may_send(const struct reserver *reserver, int64_t now_ns)
{
    return reserver->in_flight < reserver->options.calls_max &&
           (reserver->in_flight < CALLS_ALWAYS ||
            now_ns - reserver->last_sent_ns >= PACE_MS * (int64_t)NS_PER_MS);
}

static struct queue take(struct queue *from, size_t most)
{
    struct queue taken = {0};
    for (struct queue_node *node; most > 0 && (node = queue_take(from)) != NULL; most--)
        queue_put(&taken, node);
    return taken;
}

/*
 * Takes the placements of the next call off their list and counts the call as in flight. Returns false if
 * nothing may be sent now.
 */
static bool take_departure(struct reserver *reserver, struct departure *out)
{
    pthread_mutex_lock(&reserver->lock);
    int64_t now_ns = clock_monotonic_ns();
    *out = (struct departure){.count = 0};
    if (reserver->stopping) {
        /* Nothing may be sent. */
    } else if (reserver->ready.first != NULL && may_send(reserver, now_ns)) {
        out->placements = take(&reserver->ready, reserver->options.batch_max);
        reserver->in_flight++;
        reserver->last_sent_ns = now_ns;
    } else if (reserver->background.first != NULL && !reserver->background_in_flight) {
        out->placements = take(&reserver->background, BACKGROUND_BATCH);
        out->background = true;
        reserver->background_in_flight = true;
    }
    CHECK(reserver->in_flight <= reserver->options.calls_max);
    bool found = out->placements.first != NULL;
    reserver->busy += found;
    pthread_mutex_unlock(&reserver->lock);
    return found;
}

/* Sends the placements that the breaker admits, in a call already counted as in flight, and gives up the
 * rest. */
static void send_admitted(struct reserver *reserver, struct departure *departure, int64_t now_ns)
{
    uint64_t era;
    size_t admitted = rpc_guard_admit(reserver->guard, departure->count, true, &era);
    CHECK(admitted <= departure->count);
    struct departure leaving = {
        .placements = take(&departure->placements, admitted),
        .background = departure->background,
        .count = admitted,
    };
    if (admitted > 0)
        send_call(reserver, &leaving, era, now_ns);
    else
        call_ended(reserver, departure->background);
    give_up(reserver, departure->placements);
}

void reserver_flush(struct reserver *reserver)
{
    for (struct departure departure; take_departure(reserver, &departure);) {
        /* Read the clock once, so that no budget ends between the check and the timeout. */
        int64_t now_ns = clock_monotonic_ns();
        placement_settle(reserver->table,
                         budget_drop_expired(&departure.placements, now_ns, &departure.count));
        if (departure.count > 0)
            send_admitted(reserver, &departure, now_ns);
        else
            call_ended(reserver, departure.background);
    }
}

size_t reserver_room(struct reserver *reserver)
{
    return rpc_guard_room(reserver->guard);
}

uint32_t reserver_wait_ms(struct reserver *reserver)
{
    return rpc_guard_wait_ms(reserver->guard);
}

bool reserver_submit(struct reserver *reserver, struct placement *placement)
{
    pthread_mutex_lock(&reserver->lock);
    bool accepted = !reserver->stopping;
    if (accepted)
        add_ready(reserver, placement);
    pthread_mutex_unlock(&reserver->lock);
    return accepted;
}

void reserver_set_eras(struct reserver *reserver, int64_t booking_era, int64_t hospital_era)
{
    atomic_store(&reserver->booking_era, booking_era);
    atomic_store(&reserver->hospital_era, hospital_era);
}

bool reserver_ask_again(struct reserver *reserver, struct placement *placement)
{
    placement->tried = true;
    placement->not_before_ns = clock_monotonic_ns() + PACE_MS * (int64_t)NS_PER_MS;
    pthread_mutex_lock(&reserver->lock);
    bool accepted = !reserver->stopping;
    if (accepted)
        queue_put(&reserver->delayed, &placement->node);
    pthread_mutex_unlock(&reserver->lock);
    return accepted;
}

/* ---- the timer, for placements to be sent again and calls held back by PACE_MS ---- */

enum due { NOTHING_DUE, DUE, DUE_AT_LAST };

/* Returns whether delayed placements are due. DUE_AT_LAST: a placement would otherwise miss its last try. */
static enum due look_at_delayed(struct reserver *reserver, int64_t now_ns)
{
    enum due due = NOTHING_DUE;
    pthread_mutex_lock(&reserver->lock);
    LIST_EACH(const struct placement, placement, &reserver->delayed, node)
        if (due != DUE_AT_LAST && placement->not_before_ns <= now_ns)
            due = verdict_last_try_ns(placement) <= now_ns ? DUE_AT_LAST : DUE;
    pthread_mutex_unlock(&reserver->lock);
    return due;
}

/* Moves the delayed placements that are due to the lists from which they are sent. */
static void wake_delayed(struct reserver *reserver, int64_t now_ns)
{
    pthread_mutex_lock(&reserver->lock);
    struct queue delayed = queue_take_all(&reserver->delayed);
    for (struct queue_node *node; (node = queue_take(&delayed)) != NULL;) {
        struct placement *placement = container_of(node, struct placement, node);
        if (placement->not_before_ns > now_ns)
            queue_put(&reserver->delayed, node);
        else
            add_ready(reserver, placement);
    }
    pthread_mutex_unlock(&reserver->lock);
}

static void tick(void *context, struct ticker *ticker)
{
    (void)ticker;
    struct reserver *reserver = context;
    int64_t now_ns = clock_monotonic_ns();
    enum due due = look_at_delayed(reserver, now_ns);
    /* One call can contain all due bookings, so charge the retry budget for one retry. With no budget left,
     * wait, unless a booking would miss its last try. */
    if (due != NOTHING_DUE && (rpc_guard_take_retry(reserver->guard) || due == DUE_AT_LAST))
        wake_delayed(reserver, now_ns);
    reserver_flush(reserver);
}

/* ---- opening and closing ---- */

void reserver_destroy(struct reserver *reserver)
{
    if (reserver == NULL)
        return;
    CHECK(reserver->busy == 0 && reserver->in_flight == 0 && !reserver->background_in_flight);
    rpc_client_destroy(reserver->client);
    pthread_cond_destroy(&reserver->idle);
    pthread_mutex_destroy(&reserver->lock);
    free(reserver);
}

enum status reserver_open(const struct reserver_options *options, struct rpc_channel *channel,
                          struct placements *table, struct reserver **out, struct error *error)
{
    struct reserver *reserver = calloc(1, sizeof *reserver);
    if (reserver == NULL)
        return error_no_memory(error);
    pthread_mutex_init(&reserver->lock, NULL);
    pthread_cond_init(&reserver->idle, NULL);
    reserver->table = table;
    reserver->guard = rpc_channel_guard(channel);
    reserver->options.timeout_ms = options->timeout_ms != 0 ? options->timeout_ms : 600;
    reserver->options.calls_max = options->calls_max != 0 ? options->calls_max : 32;
    reserver->options.batch_max = options->batch_max != 0 ? options->batch_max : 1024;
    reserver->client = rpc_client_create(channel, &screening__v1__hospital_service__descriptor);
    enum status status = reserver->client != NULL
                             ? ticker_open(PACE_MS, tick, reserver, &reserver->timer, error)
                             : error_no_memory(error);
    if (status != STATUS_OK) {
        reserver_destroy(reserver);
        return status;
    }
    metric_register(&calls_total);
    metric_register(&calls_failed_total);
    metric_register(&not_executed_total);
    *out = reserver;
    return STATUS_OK;
}

void reserver_stop(struct reserver *reserver)
{
    pthread_mutex_lock(&reserver->lock);
    CHECK(!reserver->stopping);
    reserver->stopping = true;
    pthread_mutex_unlock(&reserver->lock);
    ticker_close(reserver->timer);
}

void reserver_settle_rest(struct reserver *reserver)
{
    pthread_mutex_lock(&reserver->lock);
    CHECK(reserver->stopping);
    while (reserver->busy > 0)
        pthread_cond_wait(&reserver->idle, &reserver->lock);
    struct queue rest = queue_take_all(&reserver->ready);
    queue_append(&rest, queue_take_all(&reserver->background));
    queue_append(&rest, queue_take_all(&reserver->delayed));
    pthread_mutex_unlock(&reserver->lock);
    give_up(reserver, rest);
}
