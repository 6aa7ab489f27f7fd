#include "table.h"

#include <stdlib.h>

#include "base/unit_test.h"

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

static void expect_printed(const struct table *table, const char *expected)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    assert_non_null(file);
    assert_true(table_print(table, file));
    fclose(file);
    assert_string_equal(text, expected);
    free(text);
}

static void test_text_columns_korean_is_two_columns_wide(void **state)
{
    (void)state;
    assert_int_equal(text_columns(""), 0);
    assert_int_equal(text_columns("abc"), 3);
    assert_int_equal(text_columns("김하나"), 6);
    assert_int_equal(text_columns("é"), 1);
}

static void test_table_columns_are_aligned_by_what_is_shown(void **state)
{
    (void)state;
    static const struct table_column columns[] = {{"NAME", false}, {"N", true}, {"END", false}};
    struct table table;
    table_init(&table, &arena, columns, 3);
    table_text(&table, "김하나");
    table_number(&table, 5);
    table_text(&table, "x");
    table_text(&table, "Kim");
    table_number(&table, 12345);
    table_text(&table, "");
    expect_printed(&table, "NAME        N  END\n"
                           "김하나      5  x\n"
                           "Kim     12345  \n");
}

static void test_table_without_rows_is_its_heading(void **state)
{
    (void)state;
    static const struct table_column columns[] = {{"A", false}, {"B", true}};
    struct table table;
    table_init(&table, &arena, columns, 2);
    expect_printed(&table, "A  B\n");
}

static void test_table_without_headings_has_no_heading_line(void **state)
{
    (void)state;
    static const struct table_column columns[] = {{NULL, false}, {NULL, false}};
    struct table table;
    table_init(&table, &arena, columns, 2);
    table_text(&table, "a");
    table_text(&table, "b");
    expect_printed(&table, "a  b\n");
}

static void test_table_escape_sequences_and_broken_text_are_masked(void **state)
{
    (void)state;
    static const struct table_column columns[] = {{NULL, false}};
    struct table table;
    table_init(&table, &arena, columns, 1);
    table_text(&table, "a\033[31mb\n\xff\xec");
    expect_printed(&table, "a?[31mb???\n");
}

static void test_table_many_rows_are_kept(void **state)
{
    (void)state;
    static const struct table_column columns[] = {{NULL, true}};
    enum { ROWS = 1000, LINE_SIZE = 4 };
    struct table table;
    table_init(&table, &arena, columns, 1);
    char expected[ROWS * LINE_SIZE + 1];
    for (unsigned i = 0; i < ROWS; i++) {
        table_number(&table, i);
        snprintf(expected + (size_t)i * LINE_SIZE, LINE_SIZE + 1, "%3u\n", i);
    }
    expect_printed(&table, expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_columns_korean_is_two_columns_wide),
        cmocka_unit_test_setup_teardown(test_table_columns_are_aligned_by_what_is_shown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_table_without_rows_is_its_heading, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_table_without_headings_has_no_heading_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_table_escape_sequences_and_broken_text_are_masked, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_table_many_rows_are_kept, set_up, tear_down),
    };
    table_use_locale();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
