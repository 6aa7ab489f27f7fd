#include "tally.h"

#include <stdio.h>

#include "base/unit_testing.h"

static struct tally_answer answer_of(const char *name, int64_t took_us)
{
    return (struct tally_answer){
        .booking_id = uuid_v7(), .name = name, .message = "", .counted = true, .took_us = took_us};
}

static void test_tally_outcomes_are_counted_apart(void **state)
{
    (void)state;
    struct tally tally;
    assert_true(tally_init(&tally));
    struct tally_answer confirmed = answer_of("CONFIRMED", 10),
                        refused = answer_of("RESOURCE_EXHAUSTED OVERLOADED", 3);
    confirmed.confirmed = true;
    tally_add(&tally, &confirmed);
    tally_add(&tally, &refused);
    tally_add(&tally, &refused);
    assert_int_equal(tally_find(&tally, "CONFIRMED")->latency.total, 1);
    assert_int_equal(tally_find(&tally, "RESOURCE_EXHAUSTED OVERLOADED")->latency.total, 2);
    assert_int_equal(tally_find(&tally, "RESOURCE_EXHAUSTED OVERLOADED")->latency.max_us, 3);
    assert_null(tally_find(&tally, "UNAVAILABLE"));
    assert_int_equal(tally.confirmed, 1);
    assert_int_equal(tally.open_count, 0);
    tally_fini(&tally);
}

static void test_tally_warm_up_counts_for_the_check_only(void **state)
{
    (void)state;
    struct tally tally;
    assert_true(tally_init(&tally));
    struct tally_answer confirmed = answer_of("CONFIRMED", 10),
                        unknown = answer_of("DEADLINE_EXCEEDED", 1000);
    confirmed.confirmed = true;
    confirmed.counted = unknown.counted = false;
    unknown.open = true;
    tally_add(&tally, &confirmed);
    tally_add(&tally, &unknown);
    assert_int_equal(tally.outcome_count, 0);
    assert_int_equal(tally.confirmed, 1);
    assert_int_equal(tally.open_count, 1);
    assert_true(uuid_equal(&tally.open[0], &unknown.booking_id));
    tally_fini(&tally);
}

static void test_tally_all_open_bookings_are_kept(void **state)
{
    (void)state;
    struct tally tally;
    assert_true(tally_init(&tally));
    for (int i = 0; i < 5000; i++) {
        struct tally_answer unknown = answer_of("UNAVAILABLE", i);
        unknown.open = true;
        tally_add(&tally, &unknown);
    }
    assert_int_equal(tally.open_count, 5000);
    assert_false(tally.out_of_memory);
    tally_fini(&tally);
}

static void test_tally_more_outcomes_than_there_is_room_for_share_the_last(void **state)
{
    (void)state;
    struct tally tally;
    assert_true(tally_init(&tally));
    for (int i = 0; i < TALLY_OUTCOMES_MAX + 5; i++) {
        char name[TALLY_NAME_SIZE];
        snprintf(name, sizeof name, "REASON %d", i);
        struct tally_answer answer = answer_of(name, 1);
        tally_add(&tally, &answer);
    }
    assert_int_equal(tally.outcome_count, TALLY_OUTCOMES_MAX);
    assert_int_equal(tally_find(&tally, "others")->latency.total, 6);
    tally_fini(&tally);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tally_outcomes_are_counted_apart),
        cmocka_unit_test(test_tally_warm_up_counts_for_the_check_only),
        cmocka_unit_test(test_tally_all_open_bookings_are_kept),
        cmocka_unit_test(test_tally_more_outcomes_than_there_is_room_for_share_the_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
