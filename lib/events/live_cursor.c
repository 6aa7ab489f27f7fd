/*
 * A cursor in memory. It begins at the head of the log. If the log has been replaced or has lost events that
 * were already passed on, it begins again at the new head.
 */
#include "base/log.h"
#include "events/follower_internal.h"
#include "events/sequence.h"

/*
 * Fetches the event after `after_seq`. Sets *next to that event. If there is none, sets only next->log_id and
 * next->seq (to `after_seq`). Sets *head_seq to the log's head.
 */
static enum status look(struct event_follower *follower, uint64_t after_seq, struct event_cursor *next,
                        uint64_t *head_seq, struct error *error)
{
    char any[] = "";
    const Screening__V1__FetchResponse *response = NULL;
    struct fetch_call *call = follower_begin_fetch(follower, after_seq, any, 1);
    enum status status = follower_wait_fetch(follower, call, &response, error);
    if (status == STATUS_OK && !uuid_parse(response->log_id, &next->log_id))
        status = error_set(error, STATUS_INTERNAL, NULL, "log_id: must be a UUID");
    if (status == STATUS_OK) {
        bool found = response->n_events > 0 && sequence_is_gapless(response->events, 1, after_seq + 1) &&
                     uuid_parse(response->events[0]->event_id, &next->event_id);
        next->seq = found ? after_seq + 1 : after_seq;
        *head_seq = response->head_seq;
    }
    fetch_call_end(call);
    return status;
}

/*
 * Begins at the head. Also fetches the id of the event at the head, because the next message refers to that
 * id.
 */
static enum status load(struct event_follower *follower, struct error *error)
{
    struct event_cursor first = {0};
    uint64_t head_seq, later_seq;
    TRY(look(follower, 0, &first, &head_seq, error));
    struct event_cursor head = {.log_id = first.log_id};
    if (head_seq > 0)
        TRY(look(follower, head_seq - 1, &head, &later_seq, error));
    if (head.seq != head_seq || !uuid_equal(&head.log_id, &first.log_id))
        return error_set(error, STATUS_UNAVAILABLE, NULL, "the log changed while its head was read");
    follower_move_cursor(follower, &head);
    log_event(LOG_INFO, "live.begun", LOG_TEXT("log", follower->log), LOG_INT("seq", head_seq));
    follower->live.begun(follower->live.context, head_seq);
    return STATUS_OK;
}

static enum apply_result apply(struct event_follower *follower, Screening__V1__Event *const *events,
                               size_t count)
{
    if (count > 0) {
        follower->live.take(follower->live.context, events, count);
        follower_advance(follower, events[count - 1]);
    }
    return APPLY_DONE;
}

/* Forgets the log, so that the retry begins at the new head. */
static bool lost(struct event_follower *follower, const char *why)
{
    (void)why;
    follower_forget_held(follower);
    follower_move_cursor(follower, &(struct event_cursor){0});
    return false;
}

static void note_fetch(struct event_follower *follower, enum status status, const struct error *error)
{
    if (status == STATUS_OK)
        log_event(LOG_INFO, "live.fetch_works_again", LOG_TEXT("log", follower->log));
    else
        log_event(LOG_WARN, "live.fetch_failed", LOG_TEXT("log", follower->log),
                  LOG_TEXT("status", status_name(status)), LOG_TEXT("why", error->message));
}

const struct cursor_kind CURSOR_LIVE = {
    .load = load,
    .apply = apply,
    .lost = lost,
    .note_fetch = note_fetch,
    .may_skip = true,
};
