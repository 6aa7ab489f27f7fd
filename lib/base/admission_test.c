#include <stdlib.h>
#include <string.h>

#include "base/admission.h"
#include "base/clock.h"
#include "base/unit_testing.h"

enum { PLACES = 64, ITEMS_MAX = 20000 };

static const int64_t MS = NS_PER_MS;

struct stage {
    struct admission *admission;
    struct fair_item items[ITEMS_MAX];
    size_t count;
};

static struct stage *begin(void)
{
    struct stage *stage = calloc(1, sizeof *stage);
    assert_non_null(stage);
    stage->admission = admission_create(PLACES);
    assert_non_null(stage->admission);
    return stage;
}

static void end(struct stage *stage)
{
    free(stage->admission);
    free(stage);
}

static uint64_t at(uint64_t connection, uint64_t address)
{
    return address << 32 | connection;
}

/* Submits one item of `source`; returns whether it was admitted. */
static bool come(struct stage *stage, uint64_t source)
{
    struct fair_item *item = &stage->items[stage->count];
    item->source = source;
    if (admission_ask(stage->admission, item, 0, 0) != ADMISSION_GRANTED)
        return false;
    stage->count++;
    admission_push(stage->admission, item);
    return true;
}

/* Submits up to PLACES + 1 items of `source`, until one is refused. Returns how many were admitted. */
static size_t fill(struct stage *stage, uint64_t source)
{
    size_t count = 0;
    while (count < PLACES + 1 && come(stage, source))
        count++;
    return count;
}

static void test_admission_last_eighth_is_for_connections_that_hold_little(void **state)
{
    struct stage *stage = begin();
    (void)state;
    assert_int_equal(fill(stage, 1), PLACES - 8);
    assert_int_equal(fill(stage, 2), 8);
    assert_int_equal(fill(stage, 3), 0);
    end(stage);
}

static void test_admission_last_eighth_of_a_connection_is_for_addresses_that_hold_little(void **state)
{
    struct stage *stage = begin();
    (void)state;
    assert_int_equal(fill(stage, at(1, 10)), PLACES - 8 - 7);
    assert_int_equal(fill(stage, at(1, 11)), 7);
    assert_int_equal(fill(stage, at(1, 12)), 0);
    assert_int_equal(fill(stage, 2), 8);
    end(stage);
}

static void test_admission_ten_thousand_addresses_leave_the_places_of_other_connections(void **state)
{
    struct stage *stage = begin();
    (void)state;
    for (uint64_t address = 1; address <= 10000; address++)
        (void)come(stage, at(1, address));
    assert_int_equal(stage->count, PLACES - 8);
    assert_int_equal(fill(stage, 2), 8);
    end(stage);
}

static void test_admission_released_places_are_taken_again(void **state)
{
    struct stage *stage = begin();
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fill(stage, at(1, 10)), PLACES - 8 - 7);
        struct fair_item *item;
        while ((item = admission_pop(stage->admission)) != NULL)
            admission_release(stage->admission, item->source);
    }
    assert_int_equal(atomic_load(&stage->admission->taken), 0);
    end(stage);
}

static void test_admission_few_places_are_for_anyone(void **state)
{
    (void)state;
    assert_true(admission_has_room(1, 0, 0, true, 0));
    assert_false(admission_has_room(1, 1, 0, false, 0));
    assert_true(admission_has_room(4, 3, 3, true, 3));
}

/* Serves `count` items, one every `gap_ms`, and submits a new item of connection 1 after each. */
static void serve(struct stage *stage, size_t count, int64_t gap_ms, int64_t *now_ns)
{
    for (size_t i = 0; i < count; i++, *now_ns += gap_ms * MS) {
        struct fair_item *item = admission_pop_paced(stage->admission, *now_ns);
        admission_release(stage->admission, item->source);
        assert_true(come(stage, 1));
    }
}

static void test_admission_refuses_what_would_wait_for_half_its_time(void **state)
{
    struct stage *stage = begin();
    struct fair_item flood = {.source = 1}, other = {.source = 2};
    int64_t now_ns = 1000 * MS;
    (void)state;
    for (int i = 0; i < 40; i++)
        assert_true(come(stage, 1));
    assert_int_equal(admission_ask(stage->admission, &flood, now_ns + MS, now_ns), ADMISSION_GRANTED);
    serve(stage, 10, 50, &now_ns); /* 40 items wait and take 50 ms each, so 2 s in all */
    assert_int_equal(admission_ask(stage->admission, &flood, now_ns + 3500 * MS, now_ns), ADMISSION_HOPELESS);
    assert_int_equal(admission_ask(stage->admission, &flood, now_ns + 4500 * MS, now_ns), ADMISSION_GRANTED);
    assert_int_equal(admission_ask(stage->admission, &flood, 0, now_ns), ADMISSION_GRANTED);
    assert_int_equal(admission_ask(stage->admission, &flood, now_ns - MS, now_ns), ADMISSION_GRANTED);
    assert_int_equal(admission_ask(stage->admission, &other, now_ns + 150 * MS, now_ns), ADMISSION_GRANTED);
    end(stage);
}

static void test_admission_many_quick_ones_are_measured_together(void **state)
{
    struct stage *stage = begin();
    struct fair_item flood = {.source = 1};
    int64_t now_ns = 1000 * MS;
    (void)state;
    for (int i = 0; i < 40; i++)
        assert_true(come(stage, 1));
    serve(stage, 200, 1, &now_ns);
    serve(stage, 1, 60, &now_ns); /* one stall must not cause refusals */
    assert_int_equal(admission_ask(stage->admission, &flood, now_ns + 250 * MS, now_ns), ADMISSION_GRANTED);
    end(stage);
}

static void test_admission_refusal_says_when_to_come_again(void **state)
{
    struct error error;
    (void)state;
    assert_int_equal(admission_refuse("reads", 200, &error), STATUS_RESOURCE_EXHAUSTED);
    assert_string_equal(error.reason, "OVERLOADED");
    assert_string_equal(error.message, "too many reads wait");
    assert_int_equal(error.retry_after_ms, 200);
    assert_int_equal(admission_refuse("reads", 200, NULL), STATUS_RESOURCE_EXHAUSTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_admission_last_eighth_is_for_connections_that_hold_little),
        cmocka_unit_test(test_admission_last_eighth_of_a_connection_is_for_addresses_that_hold_little),
        cmocka_unit_test(test_admission_ten_thousand_addresses_leave_the_places_of_other_connections),
        cmocka_unit_test(test_admission_released_places_are_taken_again),
        cmocka_unit_test(test_admission_few_places_are_for_anyone),
        cmocka_unit_test(test_admission_refuses_what_would_wait_for_half_its_time),
        cmocka_unit_test(test_admission_many_quick_ones_are_measured_together),
        cmocka_unit_test(test_admission_refusal_says_when_to_come_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
