#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/unit_testing.h"

enum { COUNT = 1000 };

void *__real_reallocarray(void *old, size_t count, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);

static bool out_of_memory;

void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
    return out_of_memory ? NULL : __real_reallocarray(old, count, size);
}

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
        assert_int_equal(array_reserve(&elements, &capacity, count + 1), STATUS_OK);
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
    assert_int_equal(array_reserve(&elements, &capacity, 1), STATUS_OK);
    const uint64_t *before = elements;
    const size_t full = capacity;
    elements[0] = 7;
    out_of_memory = true;
    assert_int_equal(array_reserve(&elements, &capacity, full), STATUS_OK);
    assert_int_equal(array_reserve(&elements, &capacity, full + 1), STATUS_RESOURCE_EXHAUSTED);
    out_of_memory = false;
    assert_ptr_equal(elements, before);
    assert_int_equal(elements[0], 7);
    assert_int_equal(capacity, full);
    free(elements);
}

static void test_array_reserve_makes_room_for_more_than_double(void **state)
{
    (void)state;
    char *bytes = NULL;
    size_t capacity = 0;
    assert_int_equal(array_reserve(&bytes, &capacity, 1), STATUS_OK);
    assert_int_equal(array_reserve(&bytes, &capacity, 100000), STATUS_OK);
    assert_true(capacity >= 100000);
    bytes[99999] = 'x';
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_array_reserve_keeps_the_elements_and_doubles),
        cmocka_unit_test(test_array_reserve_without_memory_changes_nothing),
        cmocka_unit_test(test_array_reserve_makes_room_for_more_than_double),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
