#include "load.h"

#include "base/unit_test.h"
#include "rpc/channel.h"

#include "screening/v1/booking.pb-c.h"

/* A client whose calls fail at once, inside their sending, and what a load needs besides. */
struct nobody {
    struct rpc_channel *channel;
    struct rpc_client *client;
    struct stage_day day;
    struct stage stage;
    struct watch watch;
    struct tally tally;
};

static struct load_options call_nobody(struct nobody *nobody)
{
    struct error error;
    const struct rpc_channel_options address = {.address = "ipc:///tmp/load_test.nobody"};
    *nobody = (struct nobody){.day = {.date = "2026-12-01"}};
    assert_int_equal(rpc_channel_open(&address, &nobody->channel, &error), STATUS_OK);
    nobody->client = rpc_client_create(nobody->channel, &screening__v1__booking_service__descriptor);
    assert_non_null(nobody->client);
    rpc_channel_stop(nobody->channel);
    nobody->stage = (struct stage){.days = &nobody->day, .day_count = 1, .at_once = 1, .places = 1};
    assert_true(tally_init(&nobody->tally));
    return (struct load_options){.mix = MIXES,
                                 .clients = &nobody->client,
                                 .client_count = 1,
                                 .stage = &nobody->stage,
                                 .in_flight = 2,
                                 .budget_ms = 1000,
                                 .watch = &nobody->watch};
}

static void leave(struct nobody *nobody)
{
    tally_fini(&nobody->tally);
    rpc_client_destroy(nobody->client);
    rpc_channel_close(nobody->channel);
}

/* What followed from inside the answer of a call that fails inside its sending would have no end. */
static void test_load_closed_loop_outlives_calls_that_cannot_leave(void **state)
{
    (void)state;
    struct nobody nobody;
    struct load_options options = call_nobody(&nobody);
    struct load_result result;
    options.measured_s = 0.5;
    assert_true(load_run(&options, &nobody.tally, &result));
    assert_int_equal(tally_find(&nobody.tally, "UNAVAILABLE")->latency.total, result.turns);
    assert_true(result.turns > options.in_flight); /* it went on trying, */
    assert_true(result.turns <= 200);              /* with a pause between */
    leave(&nobody);
}

enum { TURNS_BEFORE_STOP = 5 };
static atomic_bool stop_asked;

static const struct request *book_and_ask_to_stop(struct turn *turn)
{
    if (turn->number + 1 == TURNS_BEFORE_STOP)
        stop_asked = true;
    turn->booking_id = uuid_v7();
    return &REQUEST_BOOK;
}

static void stop_early(double rate, uint64_t turns_most)
{
    struct nobody nobody;
    const struct mix mix = {.name = "stopped", .first = book_and_ask_to_stop};
    struct load_options options = call_nobody(&nobody);
    struct load_result result;
    options.mix = &mix;
    options.rate = rate;
    options.measured_s = 600;
    options.stop_asked = &stop_asked;
    stop_asked = false;
    assert_true(load_run(&options, &nobody.tally, &result));
    assert_true(result.turns >= TURNS_BEFORE_STOP);
    assert_true(result.turns <= turns_most);
    assert_true(result.measured_s > 0);
    assert_true(result.measured_s < 60);

    stop_asked = false;
    options.warm_up_s = 600; /* it is asked to stop before anything is counted */
    assert_true(load_run(&options, &nobody.tally, &result));
    assert_int_equal(result.turns, 0);
    assert_true(result.measured_s == 0);
    leave(&nobody);
}

static void test_load_that_is_asked_to_stop_tells_what_was_until_then(void **state)
{
    (void)state;
    stop_early(0, TURNS_BEFORE_STOP + 1); /* it sends two at a time */
    stop_early(1000, TURNS_BEFORE_STOP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load_closed_loop_outlives_calls_that_cannot_leave),
        cmocka_unit_test(test_load_that_is_asked_to_stop_tells_what_was_until_then),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
