#include <stdlib.h>

#include "base/fair_queue.h"
#include "base/unit_testing.h"

enum { ITEMS_MAX = 20000 };

struct stage {
    struct fair_queue queue;
    struct fair_item items[ITEMS_MAX];
    size_t count;
};

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct stage));
    return *state == NULL;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

/* Returns the source for an address of a connection. */
static uint64_t at(uint64_t connection, uint64_t address)
{
    return address << 32 | connection;
}

/* Pushes `count` items of `source`. */
static void push(struct stage *stage, uint64_t source, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct fair_item *item = &stage->items[stage->count++];
        *item = (struct fair_item){.source = source};
        fair_queue_push(&stage->queue, item);
    }
}

/* Checks that the next item is the one that was pushed at position `number`. */
static void assert_next(struct stage *stage, size_t number)
{
    assert_ptr_equal(fair_queue_pop(&stage->queue), &stage->items[number]);
}

/* Pops all items and checks their order. `numbers` are the positions at which they were pushed. */
static void assert_order(struct stage *stage, const size_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_next(stage, numbers[i]);
    assert_null(fair_queue_pop(&stage->queue));
    assert_int_equal(stage->queue.waiting, 0);
    assert_int_equal(stage->queue.turns.count, 0);
}

static void test_fair_queue_one_source_is_first_come_first_served(void **state)
{
    struct stage *stage = *state;
    assert_null(fair_queue_pop(&stage->queue));
    push(stage, 7, 4);
    assert_order(stage, (const size_t[]){0, 1, 2, 3}, 4);
    push(stage, 7, 1);
    assert_order(stage, (const size_t[]){4}, 1);
}

static void test_fair_queue_sources_take_turns(void **state)
{
    struct stage *stage = *state;
    push(stage, 1, 5); /* 0-4 */
    push(stage, 2, 2); /* 5, 6 */
    push(stage, 3, 1); /* 7 */
    assert_order(stage, (const size_t[]){0, 5, 7, 1, 6, 2, 3, 4}, 8);
}

static void test_fair_queue_source_that_returns_waits_for_a_turn(void **state)
{
    struct stage *stage = *state;
    push(stage, 1, 3);
    push(stage, 2, 1);
    assert_next(stage, 0);
    assert_next(stage, 3);
    push(stage, 2, 1); /* 4 */
    assert_order(stage, (const size_t[]){1, 4, 2}, 3);
}

static void test_fair_queue_numbers_that_are_the_same_modulo_share_a_line(void **state)
{
    struct stage *stage = *state;
    push(stage, 1, 2);
    push(stage, 1 + FAIR_CONNECTIONS, 1);
    push(stage, 2, 1);
    assert_order(stage, (const size_t[]){0, 3, 1, 2}, 4);
}

static void test_fair_queue_addresses_take_turns_within_their_connections_turn(void **state)
{
    struct stage *stage = *state;
    push(stage, at(1, 10), 3); /* 0-2 */
    push(stage, at(1, 11), 1); /* 3 */
    push(stage, 1, 1);         /* 4: names no address */
    push(stage, 2, 3);         /* 5-7 */
    assert_order(stage, (const size_t[]){0, 5, 3, 6, 4, 7, 1, 2}, 8);
}

static void test_fair_queue_ten_thousand_addresses_gain_nothing_against_a_connection(void **state)
{
    struct stage *stage = *state;
    for (uint64_t address = 1; address <= 10000; address++)
        push(stage, at(1, address), 1);
    push(stage, 2, 2); /* 10000, 10001 */
    assert_next(stage, 0);
    assert_next(stage, 10000);
    assert_int_equal(fair_queue_pop(&stage->queue)->source & UINT32_MAX, 1);
    assert_next(stage, 10001);
}

static bool is_even(void *context, uint64_t source)
{
    ++*(size_t *)context;
    return source % 2 == 0;
}

static void test_fair_queue_pop_if_skips_items_that_it_refuses(void **state)
{
    struct stage *stage = *state;
    size_t asked = 0;
    push(stage, 1, 2); /* 0, 1 */
    push(stage, 3, 1); /* 2 */
    push(stage, 2, 2); /* 3, 4 */
    push(stage, 4, 1); /* 5 */
    for (size_t i = 0; i < 3; i++) {
        static const size_t evens[] = {3, 5, 4};
        assert_ptr_equal(fair_queue_pop_if(&stage->queue, is_even, &asked), &stage->items[evens[i]]);
    }
    asked = 0;
    assert_null(fair_queue_pop_if(&stage->queue, is_even, &asked));
    assert_int_equal(asked, 2);
    assert_int_equal(stage->queue.waiting, 3);
    size_t first = fair_queue_pop(&stage->queue) == &stage->items[0];
    assert_next(stage, first ? 2 : 0);
    assert_next(stage, 1);
}

/*
 * Checks that fair_queue_ahead returns `said`, and that no more items are served before a new one of
 * `source`. The queue has three connections, one of which has three addresses.
 */
static void check_ahead(struct stage *stage, uint64_t source, size_t said)
{
    *stage = (struct stage){.count = 0};
    push(stage, at(1, 7), 9);
    push(stage, at(1, 8), 4);
    push(stage, 1, 1);
    push(stage, 2, 3);
    push(stage, 3, 1);
    size_t ahead = fair_queue_ahead(&stage->queue, source), served = 0;
    assert_int_equal(ahead, said);
    push(stage, source, 1);
    while (fair_queue_pop(&stage->queue) != &stage->items[18])
        served++;
    assert_true(served <= ahead);
}

static void test_fair_queue_ahead_is_never_too_small(void **state)
{
    struct stage *stage = *state;
    check_ahead(stage, 0, 3);
    check_ahead(stage, 4, 3);
    check_ahead(stage, 3, 5);
    check_ahead(stage, 2, 11);
    check_ahead(stage, 1, 17);        /* waits for 5 items of its connection */
    check_ahead(stage, at(1, 9), 11); /* waits for 3 of them */
    check_ahead(stage, at(1, 8), 18); /* waits for all 14 of them */
    check_ahead(stage, at(1, 7), 18);
    check_ahead(stage, at(2, 9), 5); /* waits for 1 item of its connection */
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_fair_queue_one_source_is_first_come_first_served),
        TEST(test_fair_queue_sources_take_turns),
        TEST(test_fair_queue_source_that_returns_waits_for_a_turn),
        TEST(test_fair_queue_numbers_that_are_the_same_modulo_share_a_line),
        TEST(test_fair_queue_addresses_take_turns_within_their_connections_turn),
        TEST(test_fair_queue_ten_thousand_addresses_gain_nothing_against_a_connection),
        TEST(test_fair_queue_pop_if_skips_items_that_it_refuses),
        TEST(test_fair_queue_ahead_is_never_too_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
