#include <stdarg.h>

#include "base/queue.h"
#include "base/unit_testing.h"

struct number {
    int value;
    struct queue_node node;
    struct list_node place;
};

static void put(struct queue *queue, struct number *numbers, int from, int to)
{
    for (int i = from; i <= to; i++) {
        numbers[i].value = i;
        queue_put(queue, &numbers[i].node);
    }
}

static void assert_queue(const struct queue *queue, int from, int to)
{
    LIST_EACH(const struct number, number, queue, node)
        assert_int_equal(number->value, from++);
    assert_int_equal(from, to + 1);
}

static int take(struct queue *queue)
{
    struct number *number = container_of(queue_take(queue), struct number, node);
    return number != NULL ? number->value : -1;
}

static void test_container_of_null_is_null(void **state)
{
    (void)state;
    struct number number;
    struct queue_node *none = NULL;
    void *context = &number.node;
    assert_null(container_of(none, struct number, node));
    assert_ptr_equal(container_of(&number.node, struct number, node), &number);
    assert_ptr_equal(container_of(context, struct number, node), &number);
}

static void test_queue_takes_in_the_order_of_put(void **state)
{
    (void)state;
    struct number numbers[10];
    struct queue queue = {0};
    assert_int_equal(take(&queue), -1);
    put(&queue, numbers, 0, 2);
    assert_queue(&queue, 0, 2);
    assert_int_equal(take(&queue), 0);
    put(&queue, numbers, 3, 3);
    for (int i = 1; i <= 3; i++)
        assert_int_equal(take(&queue), i);
    assert_int_equal(take(&queue), -1);
    put(&queue, numbers, 4, 5); /* the queue was empty before */
    assert_queue(&queue, 4, 5);
}

static void test_queue_append_moves_all(void **state)
{
    (void)state;
    struct number numbers[10];
    struct queue queue = {0}, more = {0}, none = {0};
    queue_append(&queue, none);
    assert_null(queue.first);
    put(&more, numbers, 0, 1);
    queue_append(&queue, queue_take_all(&more));
    assert_null(more.first);
    assert_queue(&queue, 0, 1);
    put(&more, numbers, 2, 4);
    queue_append(&queue, queue_take_all(&more));
    queue_append(&queue, none);
    put(&queue, numbers, 5, 5);
    assert_queue(&queue, 0, 5);
}

/* Checks that the list has exactly these `count` values, in order. */
static void assert_list(const struct list *list, int count, ...)
{
    va_list values;
    va_start(values, count);
    LIST_EACH(const struct number, number, list, place) {
        assert_true(count-- > 0);
        assert_int_equal(number->value, va_arg(values, int));
    }
    va_end(values);
    assert_int_equal(count, 0);
}

static void test_list_removes_at_either_end_and_inside(void **state)
{
    (void)state;
    struct number numbers[4];
    struct list list = {0};
    for (int i = 0; i < 4; i++) {
        numbers[i].value = i;
        list_add(&list, &numbers[i].place);
    }
    assert_list(&list, 4, 3, 2, 1, 0);
    list_remove(&numbers[2].place);
    assert_list(&list, 3, 3, 1, 0);
    list_remove(&numbers[0].place);
    list_remove(&numbers[3].place);
    assert_list(&list, 1, 1);
    list_add(&list, &numbers[2].place);
    assert_list(&list, 2, 2, 1);
    list_remove(&numbers[1].place);
    list_remove(&numbers[2].place);
    assert_list(&list, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_container_of_null_is_null),
        cmocka_unit_test(test_queue_takes_in_the_order_of_put),
        cmocka_unit_test(test_queue_append_moves_all),
        cmocka_unit_test(test_list_removes_at_either_end_and_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
