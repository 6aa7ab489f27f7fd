/*
 * Lock order: reserver->lock is the last one; no foreign code is called with it held.
 *
 * Two calls in flight keep both services busy. More are allowed only when these take long (one more every
 * PACE_MS), so that a hospital-svc that stalls does not hold up the callers behind, and batches stay large
 * when it does not.
 */
#include "reserver.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/civil.h"
#include "base/clock.h"
#include "base/fault_point.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/ticker.h"

#include "screening/v1/hospital.pb-c.h"

enum {
    CALLS_ALWAYS = 2,
    PACE_MS = 20,
    SETTLE_MARGIN_MS = 20, /* what the settle needs of a caller's budget */
    LAST_RETRY_MS = 60,    /* before the end of a caller's budget: room for one more try and the settle */
    RETRY_MS = 20,         /* before what was not executed is sent again, unless the answer names a time */
};

static struct metric calls_total = METRIC("reserve_calls_total", "BatchReserve calls sent");
static struct metric calls_failed_total =
    METRIC("reserve_calls_failed_total", "BatchReserve calls without an answer");
static struct metric not_executed_total =
    METRIC("reserve_retries_total", "Reserves to be sent again: not executed");

struct reserver {
    struct work_table *table;
    struct rpc_client *client;
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
    struct reserve_item {
        Screening__V1__ReserveRequest message;
        char booking_id[UUID_TEXT_SIZE], hospital_id[UUID_TEXT_SIZE], date[CIVIL_TEXT_SIZE];
    } items[];
};

/* ---- answers ---- */

/* The reason a booking is REJECTED with: a constant, since the answer that brought it goes. */
static const char *refusal_reason(enum status code, const char *reason)
{
    static const char *const REASONS[] = {"SOLD_OUT", "HOSPITAL_NOT_FOUND", "HOSPITAL_DELETED",
                                          "DATE_NOT_OPEN", "RELEASED"};
    if (code == STATUS_FAILED_PRECONDITION)
        for (size_t i = 0; i < sizeof REASONS / sizeof REASONS[0]; i++)
            if (strcmp(reason, REASONS[i]) == 0)
                return REASONS[i];
    return "REFUSED";
}

/* Definitely nothing happened at hospital-svc: asking again is safe and costs nobody a place. */
static bool was_not_executed(enum status code, const char *reason, bool left)
{
    return !left || code == STATUS_RESOURCE_EXHAUSTED || strcmp(reason, "DRAINING") == 0 ||
           strcmp(reason, "NOT_READY") == 0;
}

/*
 * When what was not executed is sent again: as late as the answer asks for, but while the caller's budget
 * lasts. 0: there is no time left for it.
 */
static int64_t next_try_ns(const struct work *work, uint32_t retry_after_ms)
{
    int64_t now_ns = clock_monotonic_ns();
    int64_t wanted_ns = now_ns + (int64_t)(retry_after_ms > 0 ? retry_after_ms : RETRY_MS) * NS_PER_MS;
    int64_t last_ns = work->deadline_ns - LAST_RETRY_MS * (int64_t)NS_PER_MS;
    if (last_ns < now_ns + RETRY_MS * (int64_t)NS_PER_MS)
        return 0;
    return wanted_ns < last_ns ? wanted_ns : last_ns;
}

/* What became of one booking of a call. */
struct verdict {
    enum status code;
    const char *reason;
    bool left;
    uint32_t retry_after_ms;
};

/* Sets the work's outcome. False: it is to be sent again, at its not_before_ns. */
static bool judge(struct work *work, const struct verdict *verdict)
{
    enum status code = verdict->code;
    work->command.reason = "";
    if (code == STATUS_OK) {
        work->command.outcome = RESERVE_GRANTED;
    } else if (was_not_executed(code, verdict->reason, verdict->left)) {
        work->tried = true;
        work->command.outcome = RESERVE_UNKNOWN;
        /* Nobody waits for what the settler sent, and it has a backoff of its own. */
        work->not_before_ns = work->command.by_settler ? 0 : next_try_ns(work, verdict->retry_after_ms);
        return work->not_before_ns == 0;
    } else if (code == STATUS_UNAVAILABLE || code == STATUS_DEADLINE_EXCEEDED || code == STATUS_INTERNAL) {
        work->command.outcome = RESERVE_UNKNOWN;
    } else {
        work->command.outcome = RESERVE_REFUSED;
        work->command.reason = refusal_reason(code, verdict->reason);
    }
    return true;
}

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

/* Judges every booking of an answered or failed call and hands it on. */
static void distribute(struct reserve_call *reserve, const Screening__V1__BatchReserveResponse *response)
{
    const struct error *error = &reserve->call.error;
    struct work *settled = NULL, **settled_end = &settled, *again = NULL;
    size_t i = 0;
    for (struct work *work = reserve->works, *next; work != NULL; work = next, i++) {
        next = work->next;
        struct verdict verdict = {error->status, error->reason, reserve->call.left, error->retry_after_ms};
        if (response != NULL)
            verdict = (struct verdict){(enum status)response->results[i]->code, response->results[i]->reason,
                                       true, 0};
        if (judge(work, &verdict)) {
            work->next = NULL;
            *settled_end = work;
            settled_end = &work->next;
        } else {
            work->next = again;
            again = work;
        }
    }
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

/*
 * Sorts out the works whose budget has no room for a call any more. *longest_ns becomes the longest budget of
 * the others, INT64_MAX if one of them has no caller.
 */
static struct work *sift(struct work **chain, int64_t now_ns, int64_t *longest_ns, size_t *kept)
{
    struct work *spent = NULL, **spent_end = &spent;
    *longest_ns = 0;
    *kept = 0;
    for (struct work **at = chain; *at != NULL;) {
        struct work *work = *at;
        int64_t deadline_ns = work->command.by_settler ? INT64_MAX : work->deadline_ns;
        if (deadline_ns - (SETTLE_MARGIN_MS + 1) * (int64_t)NS_PER_MS > now_ns) {
            *longest_ns = deadline_ns > *longest_ns ? deadline_ns : *longest_ns;
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

static uint32_t call_timeout_ms(const struct reserver *reserver, int64_t longest_ns, int64_t now_ns)
{
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

/* Sends one BatchReserve for `count` works. The answer comes to `answered`, also if nothing could be sent. */
static void send_call(struct reserver *reserver, struct work *works, size_t count, uint32_t timeout_ms)
{
    struct reserve_call *reserve = calloc(1, sizeof *reserve + count * sizeof(struct reserve_item));
    Screening__V1__ReserveRequest **requests = calloc(count, sizeof *requests);
    if (reserve == NULL || requests == NULL) {
        free(reserve);
        free(requests);
        give_up(reserver, works);
        call_ended(reserver);
        return;
    }
    reserve->reserver = reserver;
    reserve->works = works;
    reserve->count = count;
    reserve->call.timeout_ms = timeout_ms;
    reserve->call.traceparent = works->command.traceparent;
    size_t i = 0;
    for (const struct work *work = works; work != NULL; work = work->next, i++) {
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

void reserver_flush(struct reserver *reserver)
{
    for (struct work *batch; (batch = take_batch(reserver)) != NULL;) {
        int64_t now_ns = clock_monotonic_ns(), longest_ns;
        size_t count;
        work_settle(reserver->table, sift(&batch, now_ns, &longest_ns, &count));
        if (count > 0)
            send_call(reserver, batch, count, call_timeout_ms(reserver, longest_ns, now_ns));
        else
            call_ended(reserver);
    }
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

/* Moves what is due from delayed to ready. Lock held. */
static void wake_delayed(struct reserver *reserver, int64_t now_ns)
{
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
}

static void tick(void *context, struct ticker *ticker)
{
    (void)ticker;
    struct reserver *reserver = context;
    pthread_mutex_lock(&reserver->lock);
    wake_delayed(reserver, clock_monotonic_ns());
    pthread_mutex_unlock(&reserver->lock);
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
