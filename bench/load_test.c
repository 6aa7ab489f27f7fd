#include "load.h"

#include "base/unit_testing.h"
#include "rpc/channel.h"

#include "screening/v1/booking.pb-c.h"

/*
 * Every call fails before its send returns. If the answer began the next call, the recursion would never end.
 */
static void test_load_closed_loop_outlives_calls_that_cannot_leave(void **state)
{
    (void)state;
    struct rpc_channel *channel;
    struct error error;
    const struct rpc_channel_options address = {.address = "ipc:///tmp/load_test.nobody"};
    assert_int_equal(rpc_channel_open(&address, &channel, &error), STATUS_OK);
    struct rpc_client *client = rpc_client_create(channel, &screening__v1__booking_service__descriptor);
    assert_non_null(client);
    rpc_channel_stop(channel);
    struct stage_day day = {.date = "2026-12-01"};
    const struct stage stage = {.days = &day, .day_count = 1, .at_once = 1, .places = 1};
    struct watch watch = {.count = 0};
    const struct load_options options = {.mix = MIXES,
                                         .clients = &client,
                                         .client_count = 1,
                                         .stage = &stage,
                                         .in_flight = 2,
                                         .budget_ms = 1000,
                                         .measured_s = 0.5,
                                         .watch = &watch};
    struct tally tally;
    struct load_result result;
    assert_true(tally_init(&tally));
    assert_true(load_run(&options, &tally, &result));
    assert_int_equal(tally_find(&tally, "UNAVAILABLE")->latency.total, result.turns);
    assert_true(result.turns > options.in_flight); /* the load keeps trying */
    assert_true(result.turns <= 200);              /* with a pause between attempts */
    tally_fini(&tally);
    rpc_client_destroy(client);
    rpc_channel_close(channel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load_closed_loop_outlives_calls_that_cannot_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
