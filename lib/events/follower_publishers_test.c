/* Tests a follower of a log that several replicas publish, each the events of its own commits. */
#include <nng/nng.h>
#include <nng/protocol/pubsub0/pub.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "events/publisher_testing.h"

enum { LIST_SIZE = 2 * TEXT_SIZE, PORT_MIN = 20000, PORTS = 10000 };

/* The second publisher. The first is that of the play. */
struct second {
    char address[TEXT_SIZE];
    nng_socket socket;
    atomic_int followers;
};

static void counted(nng_pipe pipe, nng_pipe_ev event, void *context)
{
    struct second *second = context;
    (void)pipe;
    atomic_fetch_add(&second->followers, event == NNG_PIPE_EV_ADD_POST ? 1 : -1);
}

static int try_second(struct second *second, const char *address)
{
    (void)snprintf(second->address, sizeof second->address, "%s", address);
    assert_int_equal(nng_pub0_open(&second->socket), 0);
    assert_int_equal(nng_pipe_notify(second->socket, NNG_PIPE_EV_ADD_POST, counted, second), 0);
    assert_int_equal(nng_pipe_notify(second->socket, NNG_PIPE_EV_REM_POST, counted, second), 0);
    return nng_listen(second->socket, address, NULL, 0);
}

/* Opens the second publisher beside the first, at the address of the real publisher, which is not followed.
 */
static void open_second(struct second *second, const struct stage *stage)
{
    char address[2 * TEXT_SIZE];
    atomic_init(&second->followers, 0);
    (void)snprintf(address, sizeof address, "%s2", stage->events);
    assert_int_equal(try_second(second, address), 0);
}

static void close_second(struct second *second)
{
    nng_close(second->socket);
    if (strncmp(second->address, "ipc://", strlen("ipc://")) == 0)
        unlink(second->address + strlen("ipc://"));
}

static void second_sends(struct second *second, struct play *play, uint64_t first, size_t count)
{
    assert_int_equal(nng_sendmsg(second->socket, origin_message(&play->origin, first, count), 0), 0);
}

struct wanted {
    struct play *play;
    int publishers;
};

static bool has_publishers(void *context)
{
    const struct wanted *wanted = context;
    return play_status(wanted->play).publishers == wanted->publishers;
}

static void wait_for_publishers(struct play *play, int publishers)
{
    struct wanted wanted = {.play = play, .publishers = publishers};
    wait_until(has_publishers, &wanted, "the publishers");
}

static bool has_follower(void *context)
{
    return atomic_load(&((struct second *)context)->followers) > 0;
}

/* Opens both publishers and the follower, and waits until it follows both. */
static void open_both(struct play *play, struct second *second, void **state)
{
    char list[LIST_SIZE];
    struct event_follower_options options = PLAY_PATIENT;
    play_open(play, stage_of(state));
    open_second(second, stage_of(state));
    play_commit(play, 1);
    (void)snprintf(list, sizeof list, "%s,%s", stage_of(state)->by_hand, second->address);
    options.events_addresses = list;
    play_follow_to_head(play, &options);
    wait_until(has_follower, second, "a follower of the second publisher");
    wait_for_publishers(play, 2);
    play_wait_state(play, FOLLOWER_FOLLOWING);
}

static void test_follower_of_two_publishers_merges_them_without_fetch(void **state)
{
    struct play play;
    struct second second;
    open_both(&play, &second, state);
    int64_t fetches = metric_by_name("events_fetches_total");
    play_commit(&play, 30);
    for (uint64_t seq = 2; seq <= 31; seq += 6) { /* each publisher also reports out of turn */
        second_sends(&second, &play, seq + 2, 3);
        play_send_events(&play, seq, 2);
        play_send_events(&play, seq + 5, 1);
    }
    service_wait_applied(&play.service, 31);
    assert_int_equal(metric_by_name("events_fetches_total"), fetches);
    play_expect_cursor(&play, 31);
    play_close(&play);
    close_second(&second);
}

static void test_follower_of_two_publishers_goes_on_without_either(void **state)
{
    struct play play;
    struct second second;
    open_both(&play, &second, state);
    nng_close(play.publisher);
    wait_for_publishers(&play, 1);
    assert_int_equal(play_status(&play).state, FOLLOWER_FOLLOWING);
    int64_t fetches = metric_by_name("events_fetches_total");
    play_commit(&play, 4);
    second_sends(&second, &play, 2, 4);
    service_wait_applied(&play.service, 5);
    assert_int_equal(metric_by_name("events_fetches_total"), fetches);

    play_publish(&play); /* comes back, and the other one ends */
    wait_for_publishers(&play, 2);
    nng_close(second.socket);
    wait_for_publishers(&play, 1);
    play_commit(&play, 2);
    play_send_events(&play, 6, 2);
    service_wait_applied(&play.service, 7);
    assert_int_equal(play_status(&play).state, FOLLOWER_FOLLOWING);

    nng_close(play.publisher);
    play_wait_state(&play, FOLLOWER_DISCONNECTED);
    play_publish(&play);
    play_wait_state(&play, FOLLOWER_FOLLOWING);
    play_close(&play);
    unlink(second.address + strlen("ipc://"));
}

static void test_follower_of_a_gap_between_publishers_fetches_it(void **state)
{
    struct play play;
    struct second second;
    char list[LIST_SIZE];
    struct event_follower_options options = PLAY_BRISK;
    play_open(&play, stage_of(state));
    open_second(&second, stage_of(state));
    (void)snprintf(list, sizeof list, "%s,%s", second.address, stage_of(state)->by_hand);
    options.events_addresses = list;
    play_follow_to_head(&play, &options);
    wait_for_publishers(&play, 2);
    wait_until(has_follower, &second, "a follower of the second publisher");
    play_commit(&play, 5);
    play_send_events(&play, 1, 2);
    second_sends(&second, &play, 5, 1); /* events 3 and 4 are never published */
    service_wait_applied(&play.service, 5);
    play_expect_cursor(&play, 5);
    play_close(&play);
    close_second(&second);
}

/* A host name is resolved on another thread, and one that does not resolve stops nothing. */
static void test_follower_of_names_follows_those_that_resolve(void **state)
{
    struct play play;
    struct second second;
    char address[TEXT_SIZE], list[LIST_SIZE];
    struct event_follower_options options = PLAY_PATIENT;
    play_open(&play, stage_of(state));
    atomic_init(&second.followers, 0);
    int port = PORT_MIN + (int)getpid() % PORTS;
    (void)snprintf(address, sizeof address, "tcp://127.0.0.1:%d", port);
    while (try_second(&second, address) != 0) {
        nng_close(second.socket);
        (void)snprintf(address, sizeof address, "tcp://127.0.0.1:%d", ++port);
    }
    play_commit(&play, 1);
    (void)snprintf(list, sizeof list, "tcp://no-such-host.invalid:1,tcp://localhost:%d,%s", port,
                   stage_of(state)->by_hand);
    options.events_addresses = list;
    play_follow_to_head(&play, &options);
    wait_until(has_follower, &second, "a follower of the second publisher");
    wait_for_publishers(&play, 2);
    play_commit(&play, 2);
    second_sends(&second, &play, 2, 1);
    play_send_events(&play, 3, 1);
    service_wait_applied(&play.service, 3);
    play_close(&play);
    close_second(&second);
}

static void expect_refused(struct play *play, const char *addresses, const char *message)
{
    struct error error = {0};
    const struct event_follower_options options = {.log = "booking",
                                                   .subscriber = "test",
                                                   .events_addresses = addresses,
                                                   .channel = play->channel,
                                                   .writer = play->service.writer,
                                                   .database_url = play->service.stage->service_url};
    assert_int_equal(event_follower_open(&options, &play->follower, &error), STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.message, message);
}

static void test_follower_of_a_malformed_list_is_refused_by_part(void **state)
{
    struct play play;
    play_open(&play, stage_of(state));
    expect_refused(&play, "ipc:///a,", "events address: part 2 is empty");
    expect_refused(&play, "ipc:///a,ipc:///a", "events address: part 2 (ipc:///a) is already part 1");
    play_close(&play);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_follower_of_two_publishers_merges_them_without_fetch),
        TEST_BOTH(test_follower_of_two_publishers_goes_on_without_either),
        TEST_SQLITE(test_follower_of_a_gap_between_publishers_fetches_it),
        TEST_SQLITE(test_follower_of_names_follows_those_that_resolve),
        TEST_SQLITE(test_follower_of_a_malformed_list_is_refused_by_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
