/* Tests the dialers of one SUB socket against publishers that the test opens and closes. */
#include <nng/nng.h>
#include <nng/protocol/pubsub0/pub.h>
#include <nng/protocol/pubsub0/sub.h>
#include <nng/supplemental/util/platform.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/unit_testing.h"
#include "events/dialers.h"

enum { PUBLISHERS = 3, DEADLINE_MS = 30000, PAUSE_MS = 5, PATH_SIZE = 64 };

struct scene {
    char folder[PATH_SIZE];
    struct monitor monitor;
    nng_socket socket;
    struct dialers dialers;
    int counts[DIALERS_LOST + 1]; /* of the events that dialers_note returned; guarded by the monitor */
    nng_socket publishers[PUBLISHERS];
    atomic_int followers[PUBLISHERS]; /* number of connections to each */
};

static void noted(nng_pipe pipe, nng_pipe_ev event, void *context)
{
    struct scene *scene = context;
    monitor_lock(&scene->monitor);
    scene->counts[dialers_note(&scene->dialers, pipe, event)]++;
    monitor_unlock(&scene->monitor);
}

static void counted(nng_pipe pipe, nng_pipe_ev event, void *context)
{
    (void)pipe;
    atomic_fetch_add((atomic_int *)context, event == NNG_PIPE_EV_ADD_POST ? 1 : -1);
}

static char *address_of(const struct scene *scene, int publisher, char out[ADDRESS_TEXT_SIZE])
{
    (void)snprintf(out, ADDRESS_TEXT_SIZE, "ipc://%s/%d", scene->folder, publisher);
    return out;
}

static void publish(struct scene *scene, int publisher)
{
    char address[ADDRESS_TEXT_SIZE];
    nng_socket *socket = &scene->publishers[publisher];
    assert_int_equal(nng_pub0_open(socket), 0);
    for (int event = NNG_PIPE_EV_ADD_POST; event <= NNG_PIPE_EV_REM_POST; event++)
        assert_int_equal(nng_pipe_notify(*socket, (nng_pipe_ev)event, counted, &scene->followers[publisher]),
                         0);
    assert_int_equal(nng_listen(*socket, address_of(scene, publisher, address), NULL, 0), 0);
}

static int setup(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    (void)snprintf(scene->folder, sizeof scene->folder, "/tmp/dialers_test.XXXXXX");
    assert_non_null(mkdtemp(scene->folder));
    monitor_init(&scene->monitor);
    assert_int_equal(nng_sub0_open(&scene->socket), 0);
    assert_int_equal(nng_socket_set_ms(scene->socket, NNG_OPT_RECONNMINT, PAUSE_MS), 0);
    assert_int_equal(nng_pipe_notify(scene->socket, NNG_PIPE_EV_ADD_POST, noted, scene), 0);
    assert_int_equal(nng_pipe_notify(scene->socket, NNG_PIPE_EV_REM_POST, noted, scene), 0);
    dialers_init(&scene->dialers, &scene->monitor, scene->socket);
    for (int i = 0; i < PUBLISHERS; i++)
        publish(scene, i);
    *state = scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;
    nng_close(scene->socket);
    for (int i = 0; i < PUBLISHERS; i++) {
        char address[ADDRESS_TEXT_SIZE];
        nng_close(scene->publishers[i]);
        unlink(address_of(scene, i, address) + strlen("ipc://"));
    }
    rmdir(scene->folder);
    monitor_fini(&scene->monitor);
    free(scene);
    return 0;
}

/* Wants the publishers in `set`, such as "02". */
static void want(struct scene *scene, const char *set)
{
    struct resolved wanted = {0};
    for (const char *c = set; *c != '\0'; c++)
        address_of(scene, *c - '0', wanted.items[wanted.count++].text);
    dialers_want(&scene->dialers, &wanted);
}

/* Looks when a look is due, until `used` items are in use and `connections` are connected. */
static void look_until(struct scene *scene, int used, int connections)
{
    int64_t deadline_ns = clock_monotonic_ns() + DEADLINE_MS * (int64_t)NS_PER_MS;
    for (;;) {
        monitor_lock(&scene->monitor);
        bool due = dialers_look_due_ns(&scene->dialers) <= clock_monotonic_ns();
        int used_now = scene->dialers.used, connections_now = scene->dialers.connections;
        monitor_unlock(&scene->monitor);
        if (used_now == used && connections_now == connections && !due)
            return;
        if (due)
            assert_int_equal(dialers_look(&scene->dialers), 0);
        else
            nng_msleep(PAUSE_MS);
        if (clock_monotonic_ns() >= deadline_ns)
            fail_msg("%d used, %d connected instead of %d, %d", used_now, connections_now, used, connections);
    }
}

static void wait_for_followers(struct scene *scene, int publisher, int followers)
{
    int64_t deadline_ns = clock_monotonic_ns() + DEADLINE_MS * (int64_t)NS_PER_MS;
    while (atomic_load(&scene->followers[publisher]) != followers) {
        assert_true(clock_monotonic_ns() < deadline_ns);
        nng_msleep(PAUSE_MS);
    }
}

static int count_of(struct scene *scene, enum dialers_event event)
{
    monitor_lock(&scene->monitor);
    int count = scene->counts[event];
    monitor_unlock(&scene->monitor);
    return count;
}

static int64_t due_ns(struct scene *scene)
{
    monitor_lock(&scene->monitor);
    int64_t ns = dialers_look_due_ns(&scene->dialers);
    monitor_unlock(&scene->monitor);
    return ns;
}

static void test_dialers_connect_once_to_each_that_is_wanted(void **state)
{
    struct scene *scene = *state;
    assert_true(due_ns(scene) == INT64_MAX);
    want(scene, "02");
    assert_true(due_ns(scene) == 0);
    look_until(scene, 2, 2);
    assert_true(due_ns(scene) == INT64_MAX);
    wait_for_followers(scene, 0, 1);
    wait_for_followers(scene, 2, 1);
    want(scene, "210");
    look_until(scene, 3, 3);
    for (int i = 0; i < PUBLISHERS; i++)
        wait_for_followers(scene, i, 1);
    assert_int_equal(count_of(scene, DIALERS_FIRST), 3);
    assert_int_equal(count_of(scene, DIALERS_CONNECTED), 0);
    assert_int_equal(count_of(scene, DIALERS_LOST), 0);
}

static void test_dialers_reconnect_to_the_one_that_was_lost(void **state)
{
    struct scene *scene = *state;
    want(scene, "01");
    look_until(scene, 2, 2);
    nng_close(scene->publishers[1]);
    look_until(scene, 2, 1);
    assert_int_equal(count_of(scene, DIALERS_LOST), 1);
    /* Stays without a connection for so long that its dialer is replaced. */
    int64_t until_ns = clock_monotonic_ns() + (REDIAL_AFTER_MS + 1500) * (int64_t)NS_PER_MS;
    while (clock_monotonic_ns() < until_ns) {
        look_until(scene, 2, 1);
        nng_msleep(PAUSE_MS);
    }
    publish(scene, 1);
    look_until(scene, 2, 2);
    wait_for_followers(scene, 0, 1);
    wait_for_followers(scene, 1, 1);
    assert_int_equal(count_of(scene, DIALERS_FIRST), 2);
    assert_int_equal(count_of(scene, DIALERS_CONNECTED), 1);
}

static void test_dialers_of_an_address_removed_close_only_without_connection(void **state)
{
    struct scene *scene = *state;
    want(scene, "01");
    look_until(scene, 2, 2);
    want(scene, "0");
    look_until(scene, 2, 2); /* the connection to 1 stays */
    assert_int_equal(count_of(scene, DIALERS_LOST), 0);
    assert_int_equal(atomic_load(&scene->followers[1]), 1);
    nng_close(scene->publishers[1]);
    look_until(scene, 1, 1);
    assert_int_equal(count_of(scene, DIALERS_LOST), 1);

    wait_for_followers(scene, 1, 0);
    publish(scene, 1);
    want(scene, "02");
    look_until(scene, 2, 2);
    assert_int_equal(atomic_load(&scene->followers[1]), 0); /* nobody dials it */
    want(scene, "012");
    look_until(scene, 3, 3);
    wait_for_followers(scene, 1, 1);
    assert_int_equal(count_of(scene, DIALERS_FIRST), 4);
}

static void test_dialers_of_an_address_removed_and_listed_again_keep_its_connection(void **state)
{
    struct scene *scene = *state;
    want(scene, "01");
    look_until(scene, 2, 2);
    want(scene, "");
    look_until(scene, 2, 2);
    want(scene, "10");
    look_until(scene, 2, 2);
    assert_int_equal(count_of(scene, DIALERS_FIRST), 2);
    assert_int_equal(count_of(scene, DIALERS_LOST), 0);
}

static void test_dialers_of_addresses_without_listener_are_discarded_at_once(void **state)
{
    struct scene *scene = *state;
    nng_close(scene->publishers[0]);
    want(scene, "0");
    look_until(scene, 1, 0);
    want(scene, "1");
    look_until(scene, 1, 1);
    want(scene, "");
    look_until(scene, 1, 1);
    publish(scene, 0);
}

static void test_dialers_address_that_cannot_be_dialled_is_reported_and_discarded(void **state)
{
    struct scene *scene = *state;
    struct resolved wanted = {.count = 2};
    (void)snprintf(wanted.items[0].text, ADDRESS_TEXT_SIZE, "bad://a:1");
    address_of(scene, 0, wanted.items[1].text);
    dialers_want(&scene->dialers, &wanted);
    assert_int_not_equal(dialers_look(&scene->dialers), 0);
    look_until(scene, 2, 1);
    want(scene, "0");
    look_until(scene, 1, 1);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_dialers_connect_once_to_each_that_is_wanted),
        TEST(test_dialers_reconnect_to_the_one_that_was_lost),
        TEST(test_dialers_of_an_address_removed_close_only_without_connection),
        TEST(test_dialers_of_an_address_removed_and_listed_again_keep_its_connection),
        TEST(test_dialers_of_addresses_without_listener_are_discarded_at_once),
        TEST(test_dialers_address_that_cannot_be_dialled_is_reported_and_discarded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
