#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/unit_testing.h"
#include "base/uuid.h"

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

static bool out_of_memory;

void *__wrap_calloc(size_t count, size_t size)
{
    return out_of_memory ? NULL : __real_calloc(count, size);
}

static void test_map_empty_has_nothing(void **state)
{
    (void)state;
    struct map map;
    map_init(&map, 16);
    struct uuid key = uuid_v4();
    size_t position = 0;
    assert_null(map_get(&map, &key));
    assert_null(map_remove(&map, &key));
    assert_null(map_next(&map, &position, NULL));
    map_clear(&map);
    map_fini(&map);
}

static void test_map_put_again_replaces(void **state)
{
    (void)state;
    struct map map;
    map_init(&map, 16);
    struct uuid key = uuid_v7();
    int first = 1;
    int second = 2;
    assert_int_equal(map_put(&map, &key, &first), STATUS_OK);
    assert_int_equal(map_put(&map, &key, &second), STATUS_OK);
    assert_int_equal(map.count, 1);
    assert_ptr_equal(map_get(&map, &key), &second);
    assert_ptr_equal(map_remove(&map, &key), &second);
    assert_null(map_get(&map, &key));
    map_fini(&map);
}

/* Applies the same random operations to a map and to a plain array, and compares them. */
static void check_against_array(size_t key_size, size_t key_count, size_t operations)
{
    struct map map;
    map_init(&map, key_size);
    void **expected = test_calloc(key_count, sizeof *expected);
    uint8_t *keys = test_calloc(key_count, key_size);
    size_t count = 0;
    unsigned seed = 12345;
    for (size_t i = 0; i < key_count; i++) {
        uint32_t number = (uint32_t)i;
        memcpy(keys + i * key_size, &number, key_size < sizeof number ? key_size : sizeof number);
    }
    for (size_t i = 0; i < operations; i++) {
        size_t which = (size_t)rand_r(&seed) % key_count;
        const void *key = keys + which * key_size;
        assert_ptr_equal(map_get(&map, key), expected[which]);
        if (rand_r(&seed) % 2 == 0) {
            count += expected[which] == NULL;
            expected[which] = keys + (size_t)rand_r(&seed) % key_count;
            assert_int_equal(map_put(&map, key, expected[which]), STATUS_OK);
        } else {
            count -= expected[which] != NULL;
            assert_ptr_equal(map_remove(&map, key), expected[which]);
            expected[which] = NULL;
        }
        assert_int_equal(map.count, count);
    }
    for (size_t i = 0; i < key_count; i++)
        assert_ptr_equal(map_get(&map, keys + i * key_size), expected[i]);
    test_free(keys);
    test_free(expected);
    map_fini(&map);
}

static void test_map_random_operations_match_an_array(void **state)
{
    (void)state;
    check_against_array(1, 200, 20000);
    check_against_array(4, 1000, 40000);
    check_against_array(11, 3000, 40000);
    check_against_array(16, 12, 5000);
    check_against_array(32, 1000, 20000);
}

static void test_map_next_visits_each_entry_once(void **state)
{
    (void)state;
    struct map map;
    map_init(&map, sizeof(struct uuid));
    struct uuid keys[500];
    bool seen[500] = {false};
    for (size_t i = 0; i < 500; i++) {
        keys[i] = uuid_v7();
        assert_int_equal(map_put(&map, &keys[i], &keys[i]), STATUS_OK);
    }
    size_t position = 0;
    const void *key = NULL;
    size_t visited = 0;
    for (const struct uuid *value; (value = map_next(&map, &position, &key)) != NULL; visited++) {
        assert_memory_equal(key, value, sizeof *value);
        assert_false(seen[value - keys]);
        seen[value - keys] = true;
    }
    assert_int_equal(visited, 500);
    map_fini(&map);
}

static void test_map_clear_keeps_small_memory_and_gives_back_big(void **state)
{
    (void)state;
    struct map map;
    map_init(&map, 4);
    int value = 0;
    for (uint32_t key = 0; key < 100; key++)
        assert_int_equal(map_put(&map, &key, &value), STATUS_OK);
    struct map_slot *slots = map.slots;
    map_clear(&map);
    assert_ptr_equal(map.slots, slots);
    assert_int_equal(map.count, 0);
    for (uint32_t key = 0; key < 10000; key++) {
        assert_null(map_get(&map, &key));
        assert_int_equal(map_put(&map, &key, &value), STATUS_OK);
    }
    map_clear(&map);
    assert_null(map.slots);
    uint32_t key = 5;
    assert_null(map_get(&map, &key));
    assert_int_equal(map_put(&map, &key, &value), STATUS_OK);
    assert_ptr_equal(map_get(&map, &key), &value);
    map_fini(&map);
}

static void test_map_put_out_of_memory_leaves_the_map_as_it_was(void **state)
{
    (void)state;
    struct map map;
    map_init(&map, 4);
    int value = 0;
    uint32_t refused = 0;
    for (uint32_t key = 0; refused == 0; key++) {
        out_of_memory = key >= 5;
        enum status status = map_put(&map, &key, &value);
        out_of_memory = false;
        if (status != STATUS_OK) {
            assert_int_equal(status, STATUS_RESOURCE_EXHAUSTED);
            refused = key;
        }
    }
    assert_int_equal(map.count, refused);
    assert_null(map_get(&map, &refused));
    for (uint32_t key = 0; key < refused; key++)
        assert_ptr_equal(map_get(&map, &key), &value);
    assert_int_equal(map_put(&map, &refused, &value), STATUS_OK);
    map_fini(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map_empty_has_nothing),
        cmocka_unit_test(test_map_put_again_replaces),
        cmocka_unit_test(test_map_random_operations_match_an_array),
        cmocka_unit_test(test_map_next_visits_each_entry_once),
        cmocka_unit_test(test_map_clear_keeps_small_memory_and_gives_back_big),
        cmocka_unit_test(test_map_put_out_of_memory_leaves_the_map_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
