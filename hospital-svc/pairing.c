/*
 * No other lock is acquired while the monitor is held. The pairing thread waits for its writer commands
 * without a timeout.
 */
#include "pairing.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/backoff.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"

enum {
    TICK_MS = 1000,
    RETRY_FIRST_MS = 10,
    RETRY_MAX_MS = 200,
    FOLLOW_POLL_MS = 2,
    FOLLOW_MAX_MS = 2000, /* how long to wait for the booking log before calling booking-svc again */
    DEGRADED_AFTER_MS = 5000,
};

static struct metric pairings_total =
    METRIC("hospital_pairings_total", "Eras that were agreed on with booking-svc");
static struct metric last_us =
    METRIC_IN_UNIT("hospital_pairing_last_seconds",
                   "How long the last era was unpaired, until places were granted", NULL, 1e-6);

void pairing_init(struct pairing *pairing, bool adopt)
{
    *pairing = (struct pairing){.options.adopt = adopt};
    atomic_store(&pairing->wanted, true);
    metric_register(&pairings_total);
    metric_register(&last_us);
    monitor_init(&pairing->monitor);
}

void pairing_note(void *context, bool eras_differ)
{
    struct pairing *pairing = context;
    int64_t none = 0;
    if (!eras_differ)
        (void)atomic_compare_exchange_strong(&pairing->unpaired_ns, &none, clock_monotonic_ns());
    atomic_store(&pairing->wanted, true);
    struct ticker *ticker = atomic_load(&pairing->ticker);
    if (ticker != NULL)
        ticker_wake(ticker);
}

/* ---- commands to the writer ---- */

static enum status run(struct pairing *pairing, struct command *command, struct error *error)
{
    command->traceparent = "";
    command->writer.class = WRITER_SETTLE;
    return writer_submit_and_wait(pairing->writer, &command->writer, 0, error);
}

static enum status look(struct pairing *pairing, bool forget_booking_log, struct pair_look *out,
                        struct error *error)
{
    struct command command = {.kind = COMMAND_LOOK, .wanted.look = out};
    *out = (struct pair_look){.forget_booking_log = forget_booking_log};
    TRY(run(pairing, &command, error));
    monitor_lock(&pairing->monitor);
    pairing->recovery = out->recovery;
    monitor_unlock(&pairing->monitor);
    return STATUS_OK;
}

/* ---- one attempt ---- */

/*
 * Waits until the booking log has been applied up to `seq`. Returns false after FOLLOW_MAX_MS, or if the
 * pairing thread must stop.
 */
static bool wait_followed(struct pairing *pairing, struct ticker *ticker, uint64_t seq)
{
    int64_t until_ns = clock_monotonic_ns() + FOLLOW_MAX_MS * (int64_t)NS_PER_MS;
    struct event_follower_status status;
    for (;;) {
        event_follower_status(pairing->follower, &status);
        if (status.applied_seq >= seq)
            return true;
        if (clock_monotonic_ns() >= until_ns || !ticker_sleep(ticker, FOLLOW_POLL_MS))
            return false;
        writer_hurry(pairing->writer); /* otherwise a chunk that only moves the cursor may wait */
    }
}

static void note_paired(struct pairing *pairing, const struct pair_done *done, bool was_paired)
{
    int64_t since_ns = atomic_exchange(&pairing->unpaired_ns, 0);
    int64_t us = since_ns != 0 ? (clock_monotonic_ns() - since_ns) / NS_PER_US : 0;
    if (was_paired) {
        log_plain(LOG_DEBUG, "pairing.checked");
        return;
    }
    if (done->lost && done->furthest.seq > done->details.since_seq) {
        log_event(LOG_WARN, "hospital_log.lost", LOG_INT("from_seq", done->details.since_seq + 1),
                  LOG_INT("to_seq", done->furthest.seq));
    }
    metric_add(&pairings_total, 1);
    metric_set(&last_us, us);
    log_event(LOG_INFO, "pairing.paired", LOG_INT("unpaired_us", us), LOG_INT("booking_seq", done->head_seq),
              LOG_INT("granted", done->granted), LOG_INT("deleted_again", done->deleted_again));
}

/* If the operator has accepted a different booking log, follows that log from its start. */
static enum status follow_adopted(struct pairing *pairing, const struct pair_done *done,
                                  struct pair_look *before, struct error *error)
{
    if (uuid_is_zero(&before->applied.log_id) || uuid_equal(&before->applied.log_id, &done->booking_log_id))
        return STATUS_OK;
    TRY(look(pairing, true, before, error));
    event_follower_reread(pairing->follower);
    return STATUS_OK;
}

/*
 * Keeps booking-svc's furthest position in the hospital log for later attempts. booking-svc sets its cursor
 * back before its first answer, and only that answer reports the old position.
 */
static void keep_furthest(struct pairing *pairing, struct pair_done *done)
{
    if (done->told.seq > pairing->furthest.seq)
        pairing->furthest = done->told;
    done->furthest = pairing->furthest;
}

static enum status attempt(struct pairing *pairing, struct ticker *ticker, struct arena *arena,
                           struct error *error)
{
    struct pair_look before;
    struct pair_done done = {0};
    TRY(look(pairing, false, &before, error));
    TRY(pairing_call(pairing->client, &before, &pairing->options, arena, &done, error));
    if (pairing->options.adopt)
        TRY(follow_adopted(pairing, &done, &before, error));
    keep_furthest(pairing, &done);
    if (before.applied.seq < done.head_seq)
        event_follower_reread(pairing->follower);
    if (!wait_followed(pairing, ticker, done.head_seq))
        return error_set(error, STATUS_UNAVAILABLE, NULL, "the booking log is not applied yet");
    struct command command = {.kind = COMMAND_PAIR, .arena = arena, .wanted.pair = &done};
    enum status status = run(pairing, &command, error);
    pairing->options.from_start |= done.from_start;
    if (status == STATUS_UNAVAILABLE)
        event_follower_reread(pairing->follower); /* the cursor may not be where the follower assumes */
    if (status == STATUS_OK) {
        pairing->options = (struct pairing_options){.adopt = false};
        pairing->furthest = (struct event_cursor){.seq = 0};
        note_paired(pairing, &done, before.era.paired);
        status = look(pairing, false, &before, error); /* refreshes pairing->recovery */
    }
    return status;
}

/* ---- the thread ---- */

/*
 * If only an operator can fix the problem, stores its text; otherwise clears the stored text. Logs the
 * problem if problem_log_is_due.
 */
static void note_problem(struct pairing *pairing, const struct error *error)
{
    char problem[RPC_DEGRADED_TEXT_SIZE] = "";
    if (error->status != STATUS_OK) {
        if (error->reason[0] != '\0' &&
            (error->status == STATUS_FAILED_PRECONDITION || error->status == STATUS_DATA_LOSS))
            (void)snprintf(problem, sizeof problem, "no places are granted: %s", error->reason);
        else if (error->status == STATUS_UNIMPLEMENTED)
            (void)snprintf(problem, sizeof problem, "no places are granted: booking-svc is too old to pair");
    }
    monitor_lock(&pairing->monitor);
    memcpy(pairing->problem, problem, sizeof problem);
    monitor_unlock(&pairing->monitor);
    if (error->status == STATUS_OK)
        pairing->problem_log = (struct problem_log){.at_ns = 0};
    if (problem_log_is_due(&pairing->problem_log, problem, clock_monotonic_ns())) {
        log_event(LOG_ERROR, "pairing.stuck", LOG_TEXT("status", status_name(error->status)),
                  LOG_TEXT("reason", error->reason), LOG_TEXT("why", error->message));
    }
}

static void tick(void *context, struct ticker *ticker)
{
    struct pairing *pairing = context;
    struct backoff backoff = {.first_ms = RETRY_FIRST_MS, .max_ms = RETRY_MAX_MS};
    struct arena arena;
    arena_init(&arena);
    while (atomic_exchange(&pairing->wanted, false)) {
        struct error error = {0};
        enum status status = rpc_channel_connected(pairing->channel)
                                 ? attempt(pairing, ticker, &arena, &error)
                                 : error_set(&error, STATUS_UNAVAILABLE, NULL, "no connection");
        arena_reset(&arena);
        note_problem(pairing, &error);
        if (status == STATUS_OK) {
            backoff_reset(&backoff);
            if (!ticker_sleep(ticker, RETRY_FIRST_MS)) /* Reserves may still name the old eras */
                break;
            continue;
        }
        log_event(LOG_DEBUG, "pairing.failed", LOG_TEXT("status", status_name(status)),
                  LOG_TEXT("why", error.message));
        atomic_store(&pairing->wanted, true);
        if (!ticker_sleep(ticker, (uint32_t)(backoff_next_ns(&backoff) / NS_PER_MS)))
            break;
    }
    arena_fini(&arena);
}

enum status pairing_open(struct pairing *pairing, struct writer *writer, struct event_follower *follower,
                         struct rpc_channel *channel, struct error *error)
{
    struct ticker *ticker;
    CHECK(atomic_load(&pairing->ticker) == NULL && pairing->client == NULL); /* opened once */
    pairing->writer = writer;
    pairing->follower = follower;
    pairing->channel = channel;
    pairing->client = pairing_client_create(channel);
    if (pairing->client == NULL)
        return error_no_memory(error);
    enum status status = ticker_open(TICK_MS, tick, pairing, &ticker, error);
    if (status != STATUS_OK) {
        rpc_client_destroy(pairing->client);
        pairing->client = NULL;
        return status;
    }
    atomic_store(&pairing->ticker, ticker);
    return STATUS_OK;
}

void pairing_close(struct pairing *pairing)
{
    struct ticker *ticker = atomic_load(&pairing->ticker);
    if (ticker == NULL)
        return;
    ticker_stop(ticker); /* the writer may still wake the ticker */
}

void pairing_destroy(struct pairing *pairing)
{
    ticker_close(atomic_exchange(&pairing->ticker, NULL));
    if (pairing->client != NULL)
        rpc_client_destroy(pairing->client);
    monitor_fini(&pairing->monitor);
}

/* ---- status ---- */

size_t pairing_degraded(struct pairing *pairing, char reasons[][RPC_DEGRADED_TEXT_SIZE], size_t max)
{
    size_t count = 0;
    int64_t since_ns = atomic_load(&pairing->unpaired_ns);
    int64_t unpaired_ms = since_ns != 0 ? (clock_monotonic_ns() - since_ns) / NS_PER_MS : 0;
    monitor_lock(&pairing->monitor);
    const struct recovery recovery = pairing->recovery;
    if (pairing->problem[0] != '\0' && count < max)
        memcpy(reasons[count++], pairing->problem, RPC_DEGRADED_TEXT_SIZE);
    monitor_unlock(&pairing->monitor);
    if (count == 0 && unpaired_ms > DEGRADED_AFTER_MS && count < max) {
        (void)snprintf(reasons[count++], RPC_DEGRADED_TEXT_SIZE,
                       "no places are granted: not paired with booking-svc for %lld s",
                       (long long)(unpaired_ms / MS_PER_S));
    }
    if (recovery.reinstated > 0 && count < max) {
        (void)snprintf(reasons[count++], RPC_DEGRADED_TEXT_SIZE,
                       "the database went back: %lld confirmed bookings had no place",
                       (long long)recovery.reinstated);
    }
    if (recovery.lost_from > 0 && count < max) {
        (void)snprintf(reasons[count++], RPC_DEGRADED_TEXT_SIZE,
                       "the database went back: events %llu to %llu of the hospital log are lost",
                       (unsigned long long)recovery.lost_from, (unsigned long long)recovery.lost_to);
    }
    return count;
}
