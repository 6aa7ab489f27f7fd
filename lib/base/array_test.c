#include <stdint.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/unit_test.h"

enum { COUNT = 1000 };

static void test_array_reserve_keeps_the_elements_and_doubles(void **state)
{
    (void)state;
    struct element {
        size_t number;
        char text[20];
    } *elements = NULL;
    size_t capacity = 0, growths = 0;
    for (size_t count = 0; count < COUNT; count++) {
        size_t before = capacity;
        assert_int_equal(array_reserve(&elements, &capacity, count), STATUS_OK);
        assert_true(capacity > count);
        growths += capacity != before;
        elements[count].number = count;
    }
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(elements[i].number, i);
    assert_in_range(growths, 1, 11);
    free(elements);
}

static void test_array_reserve_without_memory_changes_nothing(void **state)
{
    (void)state;
    uint64_t *elements = NULL;
    size_t capacity = 0;
    assert_int_equal(array_reserve(&elements, &capacity, 0), STATUS_OK);
    uint64_t *before = elements;
    elements[0] = 7;
    size_t full = capacity;
    capacity = SIZE_MAX / 32; /* the next size is more than any system has */
    assert_int_equal(array_reserve(&elements, &capacity, capacity), STATUS_RESOURCE_EXHAUSTED);
    assert_ptr_equal(elements, before);
    assert_int_equal(elements[0], 7);
    assert_int_equal(capacity, SIZE_MAX / 32);
    capacity = full;
    free(elements);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_array_reserve_keeps_the_elements_and_doubles),
        cmocka_unit_test(test_array_reserve_without_memory_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
