/*
 * A cursor that is kept outside, by the last event that has arrived where the events are passed on to. Before
 * the first contact and after each failure, the follower asks for it again.
 */
#include "base/log.h"
#include "events/follower_internal.h"

static enum status load(struct event_follower *follower, struct error *error)
{
    struct event_cursor cursor = {0};
    TRY(follower->outside.load(follower->outside.context, &cursor, error));
    follower_move_cursor(follower, &cursor);
    return STATUS_OK;
}

/* Makes the next fetch load the cursor. */
static void forget(struct event_follower *follower)
{
    struct event_cursor unknown = follower->cursor;
    unknown.log_id = (struct uuid){{0}};
    follower_note_cursor(follower, &unknown);
}

/* The next fetch will tell. A follower that has halted only asks whether the log has the cursor's event. */
static bool moved(struct event_follower *follower)
{
    if (!follower_halted(follower))
        forget(follower);
    return false;
}

/* Logs only the first of a series of failures. */
static void note_outcome(struct event_follower *follower, uint64_t seq, size_t count, enum status status,
                         const struct error *error)
{
    bool failing = status != STATUS_OK;
    if (failing && !follower->apply_failing)
        log_event(LOG_WARN, "events.pass_on_failed", LOG_TEXT("log", follower->log), LOG_INT("seq", seq),
                  LOG_INT("count", count), LOG_TEXT("status", status_name(status)),
                  LOG_TEXT("why", error->message));
    follower->apply_failing = failing;
}

static enum apply_result apply(struct event_follower *follower, Screening__V1__Event *const *events,
                               size_t count)
{
    struct error error = {0};
    if (count == 0)
        return APPLY_DONE;
    follower_note_in_flight(follower, events[0]);
    enum status status =
        follower->outside.pass_on(follower->outside.context, &follower->cursor.log_id, events, count, &error);
    note_outcome(follower, events[0]->seq, count, status, &error);
    if (status == STATUS_OK) {
        backoff_reset(&follower->apply_backoff);
        follower_advance(follower, events[count - 1]);
        return APPLY_DONE;
    }
    if (!follower_sleep(follower, backoff_next_ns(&follower->apply_backoff)))
        return APPLY_ENDED;
    forget(follower);
    return APPLY_LOST;
}

static bool lost(struct event_follower *follower, const char *why)
{
    follower_halt(follower, FOLLOWER_DIVERGED, why);
    return true;
}

const struct cursor_kind CURSOR_OUTSIDE = {
    .load = load,
    .moved = moved,
    .apply = apply,
    .lost = lost,
    .note_fetch = follower_note_fetch,
};
