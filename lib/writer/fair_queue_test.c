#include "base/unit_test.h"
#include "writer/fair_queue.h"

enum { COMMANDS_MAX = 64 };

struct stage {
    struct fair_queue queue;
    struct writer_command commands[COMMANDS_MAX];
    size_t count;
};

static void begin(struct stage *stage)
{
    fair_queue_init(&stage->queue);
    stage->count = 0;
}

/* Pushes `count` commands of `source`. */
static void push(struct stage *stage, uint32_t source, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct writer_command *command = &stage->commands[stage->count++];
        *command = (struct writer_command){.class = WRITER_REQUEST, .source = source};
        fair_queue_push(&stage->queue, command);
    }
}

/* The commands come in this order, given by their numbers in the order of pushing. */
static void assert_order(struct stage *stage, const size_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_ptr_equal(fair_queue_pop(&stage->queue), &stage->commands[numbers[i]]);
    assert_null(fair_queue_pop(&stage->queue));
    assert_int_equal(stage->queue.waiting, 0);
    assert_int_equal(stage->queue.turns, 0);
}

static void test_fair_queue_one_source_is_first_come_first_served(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage);
    assert_null(fair_queue_pop(&stage.queue));
    push(&stage, 7, 4);
    assert_order(&stage, (const size_t[]){0, 1, 2, 3}, 4);
    push(&stage, 7, 1);
    assert_order(&stage, (const size_t[]){4}, 1);
}

static void test_fair_queue_sources_take_turns(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage);
    push(&stage, 1, 5); /* 0-4 */
    push(&stage, 2, 2); /* 5, 6 */
    push(&stage, 3, 1); /* 7 */
    assert_order(&stage, (const size_t[]){0, 5, 7, 1, 6, 2, 3, 4}, 8);
}

static void test_fair_queue_who_comes_back_waits_for_a_turn(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage);
    push(&stage, 1, 3);
    push(&stage, 2, 1);
    assert_ptr_equal(fair_queue_pop(&stage.queue), &stage.commands[0]);
    assert_ptr_equal(fair_queue_pop(&stage.queue), &stage.commands[3]);
    push(&stage, 2, 1); /* 4 */
    assert_order(&stage, (const size_t[]){1, 4, 2}, 3);
}

static void test_fair_queue_numbers_that_are_the_same_modulo_share_a_line(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage);
    push(&stage, 1, 2);
    push(&stage, 1 + FAIR_SOURCES, 1);
    push(&stage, 2, 1);
    assert_order(&stage, (const size_t[]){0, 3, 1, 2}, 4);
}

/* Whatever the source, no more are served before it than was said. */
static void test_fair_queue_ahead_is_never_too_small(void **state)
{
    static const size_t said[] = {3, 13, 11, 5, 3}; /* of 13 that wait in three lines */
    (void)state;
    for (uint32_t source = 0; source < 5; source++) {
        struct stage stage;
        begin(&stage);
        push(&stage, 1, 9);
        push(&stage, 2, 3);
        push(&stage, 3, 1);
        size_t ahead = fair_queue_ahead(&stage.queue, source), served = 0;
        assert_int_equal(ahead, said[source]);
        push(&stage, source, 1);
        while (fair_queue_pop(&stage.queue) != &stage.commands[13])
            served++;
        assert_true(served <= ahead);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fair_queue_one_source_is_first_come_first_served),
        cmocka_unit_test(test_fair_queue_sources_take_turns),
        cmocka_unit_test(test_fair_queue_who_comes_back_waits_for_a_turn),
        cmocka_unit_test(test_fair_queue_numbers_that_are_the_same_modulo_share_a_line),
        cmocka_unit_test(test_fair_queue_ahead_is_never_too_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
