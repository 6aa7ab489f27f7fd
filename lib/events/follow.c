/* The follower's thread. It receives published messages in any order and fetches the missing events. */
#include "base/array.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "events/follower_internal.h"
#include "events/sequence.h"
#include "rpc/wire.h"

/* The interval between fetches while the publisher is silent. */
static const int64_t SILENT_FETCH_NS = INT64_C(1000) * NS_PER_MS;

/* The interval between checks of the connections while the follower is halted. */
static const int64_t LOOK_NS = INT64_C(1000) * NS_PER_MS;

/* The interval between checks of whether a diverged log contains the cursor's event again. */
static const int64_t ASK_AGAIN_NS = INT64_C(2000) * NS_PER_MS;

static struct metric gaps_total =
    METRIC("events_gaps_total", "Times that something was missing between messages");

/* ---- taking in ---- */

static void note_gap(struct event_follower *follower)
{
    if (follower->gap_ns != 0)
        return;
    follower->gap_ns = clock_monotonic_ns() + follower->gap_wait_ns;
    metric_add(&gaps_total, 1);
}

/* Keeps a batch until the events before it have arrived. Returns false if it cannot be kept. */
static bool hold(struct event_follower *follower, nng_msg *message, const Screening__V1__EventBatch *batch)
{
    note_gap(follower);
    if (batch->n_events == 0)
        return false;
    if (follower->held_count == HELD_MAX) {
        follower_fetch_at(follower, clock_monotonic_ns());
        return false;
    }
    follower->held[follower->held_count++] =
        (struct held_batch){.message = message, .first_seq = batch->events[0]->seq};
    return true;
}

/*
 * Appends the batch's events, except the first `skip`, to the run. On failure, schedules a fetch of the rest.
 */
static void extend_run(struct event_follower *follower, const Screening__V1__EventBatch *batch, size_t skip)
{
    for (size_t i = skip; i < batch->n_events; i++) {
        Screening__V1__Event *event = batch->events[i];
        struct uuid event_id;
        if (!uuid_parse(event->event_id, &event_id) ||
            array_reserve(&follower->run, &follower->run_capacity, follower->run_count + 1) != STATUS_OK) {
            follower_fetch_at(follower, clock_monotonic_ns());
            return;
        }
        follower->run[follower->run_count++] = event;
        follower->end.seq = event->seq;
        follower->end.event_id = event_id;
    }
}

/* Takes ownership of one message and processes it. */
static void take_in(struct event_follower *follower, nng_msg *message)
{
    Screening__V1__EventBatch *batch = (Screening__V1__EventBatch *)wire_unpack_answer(
        &screening__v1__event_batch__descriptor, nng_msg_body(message), nng_msg_len(message),
        &follower->arena, NULL);
    size_t skip = 0;
    enum batch_place place = BATCH_DOUBT;
    /*
     * If the batch's era differs from that of the last Fetch reply, only another Fetch can verify that the
     * batch follows the cursor.
     */
    if (batch != NULL && (int64_t)batch->era == follower->era)
        place = sequence_place(&follower->end, batch, &skip);
    bool kept = false;
    switch (place) {
    case BATCH_OLD:
        break;
    case BATCH_NEXT:
        follower_note_head(follower, batch->head_seq);
        extend_run(follower, batch, skip);
        break;
    case BATCH_LATER:
        follower_note_head(follower, batch->head_seq);
        kept = hold(follower, message, batch);
        break;
    case BATCH_DOUBT:
        follower_fetch_at(follower, clock_monotonic_ns());
        break;
    }
    if (!kept)
        nng_msg_free(message);
}

/* Appends the held batches that now follow the run. Appending one may make another follow. */
static void take_in_held(struct event_follower *follower)
{
    size_t i = 0;
    while (i < follower->held_count) {
        if (follower->held[i].first_seq > follower->end.seq + 1) {
            i++;
            continue;
        }
        nng_msg *message = follower->held[i].message;
        follower->held[i] = follower->held[--follower->held_count];
        take_in(follower, message);
        i = 0;
    }
}

static nng_msg *next_message(struct event_follower *follower)
{
    monitor_lock(&follower->monitor);
    nng_msg *message = inbox_take(&follower->inbox);
    monitor_unlock(&follower->monitor);
    return message;
}

/*
 * Checks for a gap after events have been applied. A gap that is found counts as a new one, so its wait
 * starts again.
 */
static void look_for_gap(struct event_follower *follower)
{
    follower->gap_ns = 0;
    if (follower->progress.head_seq > follower->cursor.seq || follower->held_count > 0)
        note_gap(follower);
}

/* Applies the events that have arrived. Stops taking messages once there are events for a whole chunk. */
static void take_in_and_apply(struct event_follower *follower)
{
    follower->take_in_ns = clock_monotonic_ns() + follower->interval_ns;
    arena_reset(&follower->arena);
    follower->run_count = 0;
    follower->end = follower->cursor;
    take_in_held(follower);
    while (follower->run_count < follower->chunk_max) {
        nng_msg *message = next_message(follower);
        if (message == NULL)
            break;
        take_in(follower, message);
        take_in_held(follower);
    }
    if (follower->run_count == 0)
        return;
    switch (follower->kind->apply(follower, follower->run, follower->run_count)) {
    case APPLY_DONE:
        look_for_gap(follower);
        break;
    case APPLY_LOST:
        follower_fetch_at(follower, clock_monotonic_ns());
        break;
    case APPLY_ENDED:
        break;
    }
}

/* ---- the thread ---- */

/*
 * Returns the time at which the next fetch is due if no message arrives. The caller holds the monitor's lock.
 */
static int64_t next_fetch_ns(const struct event_follower *follower)
{
    int64_t due_ns = follower->inbox.heard_ns + follower->silence_ns;
    if (due_ns < follower->fetched_ns + SILENT_FETCH_NS)
        due_ns = follower->fetched_ns + SILENT_FETCH_NS;
    if (follower->fetch_ns != 0 && follower->fetch_ns < due_ns)
        due_ns = follower->fetch_ns;
    if (follower->gap_ns != 0 && follower->gap_ns < due_ns && !follower->fetch_failing)
        due_ns = follower->gap_ns;
    return due_ns;
}

enum next_step { STEP_END, STEP_REREAD, STEP_LOOK, STEP_FETCH, STEP_TAKE_IN };

static int64_t earliest(int64_t a_ns, int64_t b_ns)
{
    return a_ns < b_ns ? a_ns : b_ns;
}

/* Waits until a step is due, and returns it. */
static enum next_step wait_for_step(struct event_follower *follower)
{
    enum next_step step;
    monitor_lock(&follower->monitor);
    for (;;) {
        int64_t fetch_ns = next_fetch_ns(follower);
        int64_t take_in_ns = follower->inbox.count > 0 ? follower->take_in_ns : INT64_MAX;
        int64_t look_ns = dialers_look_due_ns(&follower->inbox.dialers);
        int64_t now_ns = clock_monotonic_ns();
        if (follower->closing)
            step = STEP_END;
        else if (follower->reread)
            step = STEP_REREAD;
        else if (now_ns >= look_ns)
            step = STEP_LOOK;
        else if (follower->inbox.fetch_wanted || (follower->inbox.dropped && !follower->fetch_failing) ||
                 now_ns >= fetch_ns)
            step = STEP_FETCH;
        else if (now_ns >= take_in_ns)
            step = STEP_TAKE_IN;
        else {
            monitor_wait(&follower->monitor, earliest(look_ns, earliest(take_in_ns, fetch_ns)));
            continue;
        }
        break;
    }
    monitor_unlock(&follower->monitor);
    return step;
}

/* Reads the cursor again and schedules a fetch of the events after it. */
static void reread(struct event_follower *follower)
{
    monitor_lock(&follower->monitor);
    follower->reread = false;
    monitor_unlock(&follower->monitor);
    (void)follower->kind->moved(follower); /* on failure, the next chunk detects the move */
    follower->fetch_ns = clock_monotonic_ns();
}

/*
 * Sleeps until the connections must be checked, event_follower_reread is called, or the follower is closed.
 * Sets *asked to whether event_follower_reread was called. Returns false if the follower is closed.
 */
static bool sleep_halted(struct event_follower *follower, bool *asked)
{
    int64_t until_ns = clock_monotonic_ns() + LOOK_NS;
    monitor_lock(&follower->monitor);
    while (!follower->closing && !follower->reread && clock_monotonic_ns() < until_ns)
        monitor_wait(&follower->monitor, until_ns);
    *asked = follower->reread;
    follower->reread = false;
    bool closing = follower->closing;
    monitor_unlock(&follower->monitor);
    return !closing;
}

/*
 * Returns whether a diverged log contains the cursor's event again. Asks the publisher immediately if `asked`
 * is set or the cursor has changed, otherwise at most once every ASK_AGAIN_NS.
 */
static bool log_is_back(struct event_follower *follower, bool asked)
{
    const bool changed = follower->kind->moved(follower);
    if (!asked && !changed && clock_monotonic_ns() < follower->fetched_ns + ASK_AGAIN_NS)
        return false;
    return follower_ask_again(follower);
}

/*
 * Waits while halted, and maintains the pub/sub connections. Returns true once a diverged log contains the
 * cursor's event, because the right database is back, the earlier answer came from an old copy, or the cursor
 * was moved back. Returns false when the follower is closed.
 */
static bool wait_halted(struct event_follower *follower)
{
    bool asked;
    while (sleep_halted(follower, &asked)) {
        inbox_look_after(&follower->inbox);
        if (follower->progress.halted == FOLLOWER_DIVERGED && log_is_back(follower, asked)) {
            follower_resume(follower);
            return true;
        }
    }
    return false;
}

void *follower_run(void *context)
{
    struct event_follower *follower = context;
    metric_register(&gaps_total);
    bool running = !follower_halted(follower) || wait_halted(follower);
    while (running) {
        switch (wait_for_step(follower)) {
        case STEP_END:
            running = false;
            break;
        case STEP_REREAD:
            reread(follower);
            break;
        case STEP_LOOK:
            inbox_look_after(&follower->inbox);
            break;
        case STEP_FETCH:
            follower_catch_up(follower);
            break;
        case STEP_TAKE_IN:
            take_in_and_apply(follower);
            break;
        }
        if (running && follower_halted(follower)) {
            follower_forget_held(follower);
            running = wait_halted(follower);
        }
    }
    follower_forget_held(follower);
    return NULL;
}
