#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/unit_testing.h"

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

static bool out_of_memory;

void *__wrap_malloc(size_t size)
{
    return out_of_memory ? NULL : __real_malloc(size);
}

static void assert_zero(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        assert_int_equal(bytes[i], 0);
}

static void test_arena_alloc_is_zeroed_aligned_and_apart(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    unsigned char *blocks[200];
    for (size_t i = 0; i < 200; i++) {
        blocks[i] = arena_alloc(&arena, i * 7);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % _Alignof(max_align_t), 0);
        assert_zero(blocks[i], i * 7);
        memset(blocks[i], (int)i, i * 7);
    }
    for (size_t i = 0; i < 200; i++)
        for (size_t j = 0; j < i * 7; j++)
            assert_int_equal(blocks[i][j], i);
    arena_fini(&arena);
}

static void test_arena_reset_reuses_the_first_chunk_zeroed(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    unsigned char *first = arena_alloc(&arena, 1000);
    memset(first, 0xee, 1000);
    assert_non_null(arena_alloc(&arena, 100000));
    arena_reset(&arena);
    assert_ptr_equal(arena_alloc(&arena, 1000), first);
    assert_zero(first, 1000);
    arena_fini(&arena);
}

static void test_arena_reset_after_one_big_allocation_keeps_nothing(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    assert_non_null(arena_alloc(&arena, 1 << 20));
    arena_reset(&arena);
    assert_null(arena.chunks);
    assert_non_null(arena_alloc(&arena, 1));
    arena_fini(&arena);
}

static void test_arena_out_of_memory_returns_null_and_recovers(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    out_of_memory = true;
    void *block = arena_alloc(&arena, 1);
    const char *copy = arena_strdup(&arena, "text");
    const char *formatted = arena_printf(&arena, "%d", 1);
    out_of_memory = false;
    assert_null(block);
    assert_null(copy);
    assert_null(formatted);
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_non_null(arena_alloc(&arena, 1));
    arena_fini(&arena);
}

static void test_arena_strings_are_copies(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    char source[] = "abc";
    const char *copy = arena_strdup(&arena, source);
    source[0] = 'x';
    assert_string_equal(copy, "abc");
    assert_string_equal(arena_printf(&arena, "%s-%05d", source, 42), "xbc-00042");
    for (int length = 120; length < 140; length++) /* around the size that is formatted once */
        assert_int_equal(strlen(arena_printf(&arena, "%0*d", length, 7)), length);
    assert_string_equal(arena_strdup(&arena, ""), "");
    arena_fini(&arena);
}

static void test_arena_allocator_serves_protobuf(void **state)
{
    (void)state;
    struct arena built;
    arena_init(&built);
    struct arena arena = built; /* moved before its first use */
    ProtobufCAllocator *allocator = arena_allocator(&arena);
    char *block = allocator->alloc(allocator->allocator_data, 10);
    assert_non_null(block);
    memset(block, 'a', 10);
    allocator->free(allocator->allocator_data, block);
    assert_int_equal(block[9], 'a');
    assert_non_null(arena.chunks);
    assert_null(built.chunks);
    arena_fini(&arena);
}

static void test_arena_bytes_counts_all_that_it_holds(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    assert_int_equal(arena_bytes(&arena), 0);
    assert_non_null(arena_alloc(&arena, 1));
    size_t first = arena_bytes(&arena);
    assert_in_range(first, 1, 8192);
    assert_non_null(arena_alloc(&arena, 1000000));
    assert_in_range(arena_bytes(&arena), first + 1000000, first + 1000100);
    arena_fini(&arena);
    assert_int_equal(arena_bytes(&arena), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arena_alloc_is_zeroed_aligned_and_apart),
        cmocka_unit_test(test_arena_reset_reuses_the_first_chunk_zeroed),
        cmocka_unit_test(test_arena_reset_after_one_big_allocation_keeps_nothing),
        cmocka_unit_test(test_arena_out_of_memory_returns_null_and_recovers),
        cmocka_unit_test(test_arena_strings_are_copies),
        cmocka_unit_test(test_arena_allocator_serves_protobuf),
        cmocka_unit_test(test_arena_bytes_counts_all_that_it_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
