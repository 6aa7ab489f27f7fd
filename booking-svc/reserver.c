/*
 * Lock order: reserver->lock is the last one; no foreign code is called with it held.
 *
 * Two calls in flight keep both services busy. More are allowed only when these take long (one more every
 * PACE_MS), so that a hospital-svc that stalls does not hold up the callers behind, and batches stay large
 * when it does not.
 */
#include "reserver.h"

#include "verdict.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/civil.h"
#include "base/clock.h"
#include "base/fault_point.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/ticker.h"
#include "rpc/guard.h"

#include "screening/v1/hospital.pb-c.h"

enum {
    CALLS_ALWAYS = 2,
    PACE_MS = 20,
    SETTLE_MARGIN_MS = 20, /* what the settle needs of a caller's budget */
};

static struct metric calls_total = METRIC("reserve_calls_total", "BatchReserve calls sent");
static struct metric calls_failed_total =
    METRIC("reserve_calls_failed_total", "BatchReserve calls without an answer");
static struct metric not_executed_total =
    METRIC("reserve_retries_total", "Reserves to be sent again: not executed");

struct reserver {
    struct work_table *table;
    struct rpc_client *client;
    struct rpc_guard *guard; /* the channel's */
    struct reserver_options options;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t idle;  /* busy has become less */
    struct work *ready, **ready_end;
    struct work *delayed; /* to be sent again, each at its not_before_ns */
    size_t in_flight;     /* calls */
    size_t busy;          /* calls and what their answers still do here; closing waits for 0 */
    int64_t last_sent_ns;
    bool stopping;
    struct ticker *timer;
};

/* One BatchReserve: the message and all it points to. */
struct reserve_call {
    struct rpc_client_call call; /* first: the channel fills it in */
    struct reserver *reserver;
    struct work *works;
    size_t count;
    uint64_t era; /* in which the breaker let it through */
    struct reserve_item {
        Screening__V1__ReserveRequest message;
        char booking_id[UUID_TEXT_SIZE], hospital_id[UUID_TEXT_SIZE], date[CIVIL_TEXT_SIZE];
    } items[];
};

/* ---- answers ---- */

static void put_delayed(struct reserver *reserver, struct work *chain)
{
    pthread_mutex_lock(&reserver->lock);
    for (struct work *work = chain, *next; work != NULL; work = next) {
        next = work->next;
        work->next = reserver->delayed;
        reserver->delayed = work;
        metric_add(&not_executed_total, 1);
    }
    pthread_mutex_unlock(&reserver->lock);
}

/* Counts a booking of a call; one that is sent again counts when that is answered. */
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

/* Judges every booking of an answered or failed call and hands it on. */
static void distribute(struct reserve_call *reserve, const Screening__V1__BatchReserveResponse *response)
{
    const struct error *error = &reserve->call.error;
    struct work *settled = NULL, **settled_end = &settled, *again = NULL;
    struct breaker_count count = {0};
    int64_t now_ns = clock_monotonic_ns();
    size_t i = 0;
    for (struct work *work = reserve->works, *next; work != NULL; work = next, i++) {
        next = work->next;
        struct verdict verdict = {
            .code = error->status,
            .reason = error->reason,
            .left = reserve->call.left,
            .retry_after_ms = error->retry_after_ms,
            .had_ms = reserve->call.timeout_ms,
            .fair_ms = reserve->reserver->options.timeout_ms / 2,
        };
        if (response != NULL) {
            verdict.code = (enum status)response->results[i]->code;
            verdict.reason = response->results[i]->reason;
            verdict.retry_after_ms = 0;
        }
        bool ended = verdict_apply(&verdict, work, now_ns);
        count_for_breaker(&count, ended ? verdict_for_breaker(&verdict, work, now_ns) : BREAKER_NOTHING);
        if (ended) {
            work->next = NULL;
            *settled_end = work;
            settled_end = &work->next;
        } else {
            work->next = again;
            again = work;
        }
    }
    rpc_guard_record(reserve->reserver->guard, reserve->era, &count); /* before anyone hears of it */
    work_settle(reserve->reserver->table, settled);
    put_delayed(reserve->reserver, again);
}

/* A call that was counted as in flight is over, without anything to send after it. */
static void call_ended(struct reserver *reserver)
{
    pthread_mutex_lock(&reserver->lock);
    reserver->in_flight--;
    reserver->busy--;
    pthread_cond_signal(&reserver->idle);
    pthread_mutex_unlock(&reserver->lock);
}

/* A call is over: what waits may go. The reserver stays until `busy` is counted down. */
static void send_next(struct reserver *reserver)
{
    pthread_mutex_lock(&reserver->lock);
    reserver->in_flight--;
    pthread_mutex_unlock(&reserver->lock);
    reserver_flush(reserver);
    pthread_mutex_lock(&reserver->lock);
    reserver->busy--;
    pthread_cond_signal(&reserver->idle);
    pthread_mutex_unlock(&reserver->lock);
}

static void answered(const Screening__V1__BatchReserveResponse *response, void *closure_data)
{
    struct reserve_call *reserve = closure_data;
    struct reserver *reserver = reserve->reserver;
    FAULT_POINT("booking.after_reserve");
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
    distribute(reserve, response);
    free(reserve);
    send_next(reserver);
}

/* ---- sending ---- */

/* The end of a work's budget; INT64_MAX if it has no caller. */
static int64_t budget_end_ns(const struct work *work)
{
    return work->command.by_settler ? INT64_MAX : work->deadline_ns;
}

/* Sorts out the works whose budget has no room for a call any more, and counts the others. */
static struct work *sift(struct work **chain, int64_t now_ns, size_t *kept)
{
    struct work *spent = NULL, **spent_end = &spent;
    *kept = 0;
    for (struct work **at = chain; *at != NULL;) {
        struct work *work = *at;
        if (budget_end_ns(work) - (SETTLE_MARGIN_MS + 1) * (int64_t)NS_PER_MS > now_ns) {
            (*kept)++;
            at = &work->next;
            continue;
        }
        *at = work->next;
        work->next = NULL;
        work->command.outcome = work->tried ? RESERVE_UNKNOWN : RESERVE_BUDGET_SPENT;
        work->command.reason = "";
        *spent_end = work;
        spent_end = &work->next;
    }
    return spent;
}

/* Never more than the longest budget that waits. */
static uint32_t call_timeout_ms(const struct reserver *reserver, const struct work *works, int64_t now_ns)
{
    int64_t longest_ns = 0;
    for (const struct work *work = works; work != NULL; work = work->next)
        longest_ns = budget_end_ns(work) > longest_ns ? budget_end_ns(work) : longest_ns;
    int64_t left_ms = (longest_ns - now_ns) / NS_PER_MS - SETTLE_MARGIN_MS;
    return left_ms < reserver->options.timeout_ms ? (uint32_t)left_ms : reserver->options.timeout_ms;
}

static void fill_item(struct reserve_item *item, const struct work *work)
{
    screening__v1__reserve_request__init(&item->message);
    item->message.booking_id = uuid_format(&work->command.booking_id, item->booking_id);
    item->message.hospital_id = uuid_format(&work->hospital_id, item->hospital_id);
    item->message.date = civil_format(work->day, item->date);
    item->message.headcount = work->headcount;
}

/* Nothing more is tried for these: their outcome is unknown. */
static void give_up(struct reserver *reserver, struct work *chain)
{
    for (struct work *work = chain; work != NULL; work = work->next) {
        work->command.outcome = RESERVE_UNKNOWN;
        work->command.reason = "";
    }
    work_settle(reserver->table, chain);
}

/* Sends one BatchReserve for `count` works that the breaker let through in `era`. The answer comes to
 * `answered`, also if nothing could be sent. */
static void send_call(struct reserver *reserver, struct work *works, size_t count, uint64_t era,
                      int64_t now_ns)
{
    struct reserve_call *reserve = calloc(1, sizeof *reserve + count * sizeof(struct reserve_item));
    Screening__V1__ReserveRequest **requests = calloc(count, sizeof *requests);
    if (reserve == NULL || requests == NULL) {
        free(reserve);
        free(requests);
        rpc_guard_record(reserver->guard, era, &(struct breaker_count){.nothing = count});
        give_up(reserver, works);
        call_ended(reserver);
        return;
    }
    reserve->reserver = reserver;
    reserve->works = works;
    reserve->count = count;
    reserve->era = era;
    reserve->call.unguarded = true;
    reserve->call.timeout_ms = call_timeout_ms(reserver, works, now_ns);
    reserve->call.traceparent = works->command.traceparent;
    size_t i = 0;
    for (struct work *work = works; work != NULL; work = work->next, i++) {
        if (work->first_sent_ns == 0)
            work->first_sent_ns = now_ns;
        fill_item(&reserve->items[i], work);
        requests[i] = &reserve->items[i].message;
    }
    Screening__V1__BatchReserveRequest request = SCREENING__V1__BATCH_RESERVE_REQUEST__INIT;
    request.requests = requests;
    request.n_requests = count;
    metric_add(&calls_total, 1);
    FAULT_POINT("booking.before_reserve");
    screening__v1__hospital_service__batch_reserve(rpc_client_service(reserver->client), &request, answered,
                                                   reserve);
    free(requests);
}

/* Takes the next batch off the list and counts it as in flight; NULL if nothing may be sent now. */
static struct work *take_batch(struct reserver *reserver)
{
    struct work *batch = NULL;
    pthread_mutex_lock(&reserver->lock);
    int64_t now_ns = clock_monotonic_ns();
    bool room = reserver->in_flight < reserver->options.calls_max &&
                (reserver->in_flight < CALLS_ALWAYS ||
                 now_ns - reserver->last_sent_ns >= PACE_MS * (int64_t)NS_PER_MS);
    if (reserver->ready != NULL && room && !reserver->stopping) {
        batch = reserver->ready;
        struct work **end = &reserver->ready;
        for (size_t i = 0; i < reserver->options.batch_max && *end != NULL; i++)
            end = &(*end)->next;
        reserver->ready = *end;
        *end = NULL;
        if (reserver->ready == NULL)
            reserver->ready_end = &reserver->ready;
        reserver->in_flight++;
        reserver->busy++;
        reserver->last_sent_ns = now_ns;
    }
    pthread_mutex_unlock(&reserver->lock);
    return batch;
}

/* Cuts a chain of works after `count` > 0 of them; the rest. */
static struct work *cut(struct work *chain, size_t count)
{
    struct work *last = chain;
    for (size_t i = 1; i < count; i++)
        last = last->next;
    struct work *rest = last->next;
    last->next = NULL;
    return rest;
}

/* Sends what the breaker lets through of a batch that was counted as in flight, and gives up the rest. */
static void send_admitted(struct reserver *reserver, struct work *batch, size_t count, int64_t now_ns)
{
    uint64_t era;
    size_t admitted = rpc_guard_admit(reserver->guard, count, true, &era);
    struct work *rest = batch;
    if (admitted > 0) {
        rest = cut(batch, admitted);
        send_call(reserver, batch, admitted, era, now_ns);
    } else {
        call_ended(reserver);
    }
    give_up(reserver, rest);
}

void reserver_flush(struct reserver *reserver)
{
    for (struct work *batch; (batch = take_batch(reserver)) != NULL;) {
        size_t count;
        int64_t now_ns = clock_monotonic_ns(); /* one for all: what sift let pass has time for a call */
        work_settle(reserver->table, sift(&batch, now_ns, &count));
        if (count > 0)
            send_admitted(reserver, batch, count, now_ns);
        else
            call_ended(reserver);
    }
}

size_t reserver_room(struct reserver *reserver)
{
    return rpc_guard_room(reserver->guard);
}

uint32_t reserver_unavailable_ms(struct reserver *reserver)
{
    return rpc_guard_wait_ms(reserver->guard);
}

bool reserver_submit(struct reserver *reserver, struct work *work)
{
    work->next = NULL;
    pthread_mutex_lock(&reserver->lock);
    bool accepted = !reserver->stopping;
    if (accepted) {
        *reserver->ready_end = work;
        reserver->ready_end = &work->next;
    }
    pthread_mutex_unlock(&reserver->lock);
    return accepted;
}

/* ---- the timer: what is to be sent again, and calls held back by the pace ---- */

enum due { NOTHING_DUE, DUE, DUE_AT_LAST };

/* Whether something is to be sent again; DUE_AT_LAST: a work of it will not get another chance. */
static enum due look_at_delayed(struct reserver *reserver, int64_t now_ns)
{
    enum due due = NOTHING_DUE;
    pthread_mutex_lock(&reserver->lock);
    for (const struct work *work = reserver->delayed; work != NULL && due != DUE_AT_LAST; work = work->next)
        if (work->not_before_ns <= now_ns)
            due = verdict_last_try_ns(work) <= now_ns ? DUE_AT_LAST : DUE;
    pthread_mutex_unlock(&reserver->lock);
    return due;
}

/* Moves what is due from delayed to ready. */
static void wake_delayed(struct reserver *reserver, int64_t now_ns)
{
    pthread_mutex_lock(&reserver->lock);
    for (struct work **at = &reserver->delayed; *at != NULL;) {
        struct work *work = *at;
        if (work->not_before_ns > now_ns) {
            at = &work->next;
            continue;
        }
        *at = work->next;
        work->next = NULL;
        *reserver->ready_end = work;
        reserver->ready_end = &work->next;
    }
    pthread_mutex_unlock(&reserver->lock);
}

static void tick(void *context, struct ticker *ticker)
{
    (void)ticker;
    struct reserver *reserver = context;
    int64_t now_ns = clock_monotonic_ns();
    enum due due = look_at_delayed(reserver, now_ns);
    /* One retry, since all that is due leaves in one call. Without one it waits, but not past its last try.
     */
    if (due != NOTHING_DUE && (rpc_guard_take_retry(reserver->guard) || due == DUE_AT_LAST))
        wake_delayed(reserver, now_ns);
    reserver_flush(reserver);
}

/* ---- opening and closing ---- */

void reserver_destroy(struct reserver *reserver)
{
    if (reserver == NULL)
        return;
    rpc_client_destroy(reserver->client);
    pthread_cond_destroy(&reserver->idle);
    pthread_mutex_destroy(&reserver->lock);
    free(reserver);
}

enum status reserver_open(const struct reserver_options *options, struct rpc_channel *channel,
                          struct work_table *table, struct reserver **out, struct error *error)
{
    struct reserver *reserver = calloc(1, sizeof *reserver);
    if (reserver == NULL)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "out of memory");
    pthread_mutex_init(&reserver->lock, NULL);
    pthread_cond_init(&reserver->idle, NULL);
    reserver->table = table;
    reserver->guard = rpc_channel_guard(channel);
    reserver->ready_end = &reserver->ready;
    reserver->options.timeout_ms = options->timeout_ms != 0 ? options->timeout_ms : 600;
    reserver->options.calls_max = options->calls_max != 0 ? options->calls_max : 32;
    reserver->options.batch_max = options->batch_max != 0 ? options->batch_max : 1024;
    reserver->client = rpc_client_create(channel, &screening__v1__hospital_service__descriptor);
    enum status status = reserver->client != NULL
                             ? ticker_open(PACE_MS, tick, reserver, &reserver->timer, error)
                             : error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "out of memory");
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
    reserver->stopping = true;
    pthread_mutex_unlock(&reserver->lock);
    ticker_close(reserver->timer);
}

void reserver_settle_rest(struct reserver *reserver)
{
    pthread_mutex_lock(&reserver->lock);
    while (reserver->busy > 0)
        pthread_cond_wait(&reserver->idle, &reserver->lock);
    struct work *ready = reserver->ready, *delayed = reserver->delayed;
    pthread_mutex_unlock(&reserver->lock);
    give_up(reserver, ready);
    give_up(reserver, delayed);
}
