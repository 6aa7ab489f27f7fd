#include "events/follower.h"

#include "base/clock.h"
#include "base/log.h"
#include "events/dead_letter_store.h"

bool follower_closing(struct event_subscriber *follower)
{
    monitor_lock(&follower->monitor);
    bool closing = follower->closing;
    monitor_unlock(&follower->monitor);
    return closing;
}

void follower_look_after_connections(struct event_subscriber *follower)
{
    rpc_channel_look_after(follower->channel);
    inbox_look_after(&follower->inbox);
}

bool follower_sleep(struct event_subscriber *follower, int64_t pause_ns)
{
    int64_t until_ns = clock_monotonic_ns() + pause_ns;
    monitor_lock(&follower->monitor);
    while (!follower->closing && clock_monotonic_ns() < until_ns)
        monitor_wait(&follower->monitor, until_ns);
    bool closing = follower->closing;
    monitor_unlock(&follower->monitor);
    return !closing;
}

static bool is_halted(enum subscriber_state state)
{
    return state == SUBSCRIBER_DIVERGED || state == SUBSCRIBER_STOPPED;
}

void follower_halt(struct event_subscriber *follower, enum subscriber_state state, const char *why)
{
    monitor_lock(&follower->monitor);
    follower->progress.halted = state;
    monitor_unlock(&follower->monitor);
    inbox_mute(&follower->inbox);
    log_event(LOG_ERROR, "events.halted", LOG_TEXT("log", follower->log),
              LOG_TEXT("state", subscriber_state_name(state)), LOG_INT("seq", follower->cursor.seq),
              LOG_TEXT("why", why));
}

void follower_resume(struct event_subscriber *follower)
{
    inbox_unmute(&follower->inbox); /* before: what is missing is fetched first, it does not follow yet */
    monitor_lock(&follower->monitor);
    follower->progress.halted = SUBSCRIBER_CATCHING_UP;
    monitor_unlock(&follower->monitor);
    log_event(LOG_INFO, "events.goes_on", LOG_TEXT("log", follower->log),
              LOG_INT("seq", follower->cursor.seq));
}

bool follower_halted(struct event_subscriber *follower)
{
    monitor_lock(&follower->monitor);
    bool halted = is_halted(follower->progress.halted);
    monitor_unlock(&follower->monitor);
    return halted;
}

void follower_note_head(struct event_subscriber *follower, uint64_t head_seq)
{
    monitor_lock(&follower->monitor);
    struct progress *progress = &follower->progress;
    if (head_seq > progress->head_seq)
        progress->head_seq = head_seq;
    if (progress->head_seq > progress->applied_seq && progress->head_heard_us == 0)
        progress->head_heard_us = clock_now_us();
    monitor_unlock(&follower->monitor);
}

void follower_lower_head(struct event_subscriber *follower, uint64_t head_seq)
{
    monitor_lock(&follower->monitor);
    struct progress *progress = &follower->progress;
    if (head_seq < progress->head_seq)
        progress->head_seq = head_seq > progress->applied_seq ? head_seq : progress->applied_seq;
    if (progress->head_seq == progress->applied_seq)
        progress->head_heard_us = 0;
    monitor_unlock(&follower->monitor);
}

void follower_note_cursor(struct event_subscriber *follower, const struct event_cursor *cursor)
{
    follower->cursor = *cursor;
    monitor_lock(&follower->monitor);
    struct progress *progress = &follower->progress;
    progress->applied_seq = cursor->seq;
    progress->log_id = cursor->log_id;
    if (progress->head_seq < cursor->seq)
        progress->head_seq = cursor->seq;
    if (progress->applied_seq == progress->head_seq)
        progress->head_heard_us = 0;
    progress->oldest_in_flight_us = 0;
    monitor_unlock(&follower->monitor);
}

void follower_move_cursor(struct event_subscriber *follower, const struct event_cursor *cursor)
{
    monitor_lock(&follower->monitor);
    if (cursor->seq < follower->progress.applied_seq) {
        follower->progress.head_seq = cursor->seq; /* the head reported earlier may never have existed */
        follower->progress.caught_up = false;
    }
    monitor_unlock(&follower->monitor);
    follower_note_cursor(follower, cursor);
}

bool follower_reread(struct event_subscriber *follower)
{
    struct event_cursor cursor;
    uint64_t letters;
    if (dead_letter_count(follower->db, follower->log, &letters, NULL) ==
        STATUS_OK) { /* some are forgotten */
        monitor_lock(&follower->monitor);
        follower->progress.dead_letters = letters;
        monitor_unlock(&follower->monitor);
    }
    if (event_cursor_read(follower->db, follower->log, &cursor, NULL) != STATUS_OK ||
        event_cursor_equal(&cursor, &follower->cursor))
        return false;
    follower_move_cursor(follower, &cursor);
    return true;
}

void follower_note_dead_letter(struct event_subscriber *follower)
{
    monitor_lock(&follower->monitor);
    uint64_t count = ++follower->progress.dead_letters;
    monitor_unlock(&follower->monitor);
    if (count >= DEAD_LETTER_MAX)
        follower_halt(follower, SUBSCRIBER_STOPPED, "too many dead letters");
}

void follower_fetch_at(struct event_subscriber *follower, int64_t at_ns)
{
    if (follower->fetch_ns == 0 || at_ns < follower->fetch_ns)
        follower->fetch_ns = at_ns;
}
