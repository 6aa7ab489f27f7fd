#include "events/publisher_testing.h"

#include <nng/protocol/pubsub0/pub.h>

#include "events/cursor.h"

enum { NEVER_MS = 600000, SHORT_MS = 10 };

const struct event_follower_options PLAY_PATIENT = {.silence_ms = NEVER_MS, .gap_wait_ms = NEVER_MS};
const struct event_follower_options PLAY_BRISK = {.silence_ms = NEVER_MS, .gap_wait_ms = SHORT_MS};

static void counted(nng_pipe pipe, nng_pipe_ev event, void *context)
{
    struct play *play = context;
    (void)pipe;
    atomic_fetch_add(&play->followers, event == NNG_PIPE_EV_ADD_POST ? 1 : -1);
}

static bool has_follower(void *context)
{
    struct play *play = context;
    return atomic_load(&play->followers) > 0;
}

void play_publish(struct play *play)
{
    assert_int_equal(nng_pub0_open(&play->publisher), 0);
    assert_int_equal(nng_pipe_notify(play->publisher, NNG_PIPE_EV_ADD_POST, counted, play), 0);
    assert_int_equal(nng_pipe_notify(play->publisher, NNG_PIPE_EV_REM_POST, counted, play), 0);
    assert_int_equal(nng_listen(play->publisher, play->origin.stage->by_hand, NULL, 0), 0);
}

void play_follow(struct play *play, const struct event_follower_options *wished)
{
    struct error error = {0};
    struct event_follower_options options = *wished;
    options.log = "booking";
    options.subscriber = "test";
    options.channel = play->channel;
    const bool has_cursor = wished->live.take == NULL && wished->outside.load == NULL;
    options.writer = has_cursor ? play->service.writer : NULL;
    options.database_url = play->service.stage->service_url;
    if (options.events_addresses == NULL)
        options.events_addresses = play->service.stage->by_hand;
    expect(event_follower_open(&options, &play->follower, &error), STATUS_OK, &error);
}

void play_open(struct play *play, const struct stage *stage)
{
    struct error error = {0};
    const struct rpc_channel_options channel = {.address = stage->rpc};
    *play = (struct play){0};
    origin_open(&play->origin, stage, NULL);
    service_open(&play->service, stage);
    play_publish(play);
    expect(rpc_channel_open(&channel, &play->channel, &error), STATUS_OK, &error);
}

void play_close(struct play *play)
{
    event_follower_close(play->follower);
    rpc_channel_close(play->channel);
    nng_close(play->publisher);
    service_close(&play->service);
    origin_close(&play->origin);
}

struct event_follower_status play_status(struct play *play)
{
    struct event_follower_status status;
    event_follower_status(play->follower, &status);
    return status;
}

struct state_wanted {
    struct play *play;
    enum follower_state state;
};

static bool in_state(void *context)
{
    struct state_wanted *wanted = context;
    return play_status(wanted->play).state == wanted->state;
}

void play_wait_state(struct play *play, enum follower_state state)
{
    struct state_wanted wanted = {.play = play, .state = state};
    wait_until(in_state, &wanted, follower_state_name(state));
}

void play_follow_to_head(struct play *play, const struct event_follower_options *wished)
{
    play_follow(play, wished);
    wait_until(has_follower, play, "a follower");
    play_wait_state(play, FOLLOWER_FOLLOWING);
}

void play_send(struct play *play, nng_msg *message)
{
    assert_int_equal(nng_sendmsg(play->publisher, message, 0), 0);
}

void play_send_events(struct play *play, uint64_t first, size_t count)
{
    play_send(play, origin_message(&play->origin, first, count));
}

void play_commit(struct play *play, size_t count)
{
    origin_commit(&play->origin, "booking.confirmed", count, false);
}

void play_expect_cursor(struct play *play, uint64_t seq)
{
    struct error error = {0};
    struct event_cursor cursor;
    char event_id[UUID_TEXT_SIZE];
    char expected[UUID_TEXT_SIZE];
    expect(event_cursor_read(play->service.db, "booking", &cursor, &error), STATUS_OK, &error);
    assert_int_equal(cursor.seq, seq);
    assert_string_equal(uuid_format(&cursor.event_id, event_id),
                        origin_event_id(&play->origin, seq, expected));
}
