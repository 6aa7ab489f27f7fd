#include "table.h"

#include <stdlib.h>

#include "base/unit_testing.h"

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
                           "Kim     12345\n");
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

#define ID_A "20a6a75c-5177-54e8-85ed-c48c78bb96e1"
#define ID_B "20a6a75c-51ff-54e8-85ed-c48c78bb96e1"

/* Fills a table with an id, a name, a reason that is always empty, a number, and an optional text. */
static void fill_wide(struct table *table)
{
    static const struct table_column columns[] = {
        {"ID", false}, {"NAME", false}, {"REASON", false}, {"N", true}, {"MORE", false}};
    table_init(table, &arena, columns, 5);
    table->layout = (struct table_layout){.if_filled = TABLE_COLUMN(2),
                                          .ids = TABLE_COLUMN(0),
                                          .optional = TABLE_COLUMN(4),
                                          .flexible = TABLE_COLUMN(1)};
    const char *const rows[][2] = {{ID_A, "한빛종합검진센터"}, {ID_B, "B"}};
    for (size_t i = 0; i < 2; i++) {
        table_text(table, rows[i][0]);
        table_text(table, rows[i][1]);
        table_text(table, "");
        table_number(table, 7);
        table_text(table, "optional");
    }
}

static void test_table_fits_the_terminal_step_by_step(void **state)
{
    (void)state;
    struct table table;
    fill_wide(&table);
    expect_printed(&table, "ID                                    NAME              N  MORE\n" ID_A
                           "  한빛종합검진센터  7  optional\n" ID_B "  B                 7  optional\n");
    table.width_max = 60;
    expect_printed(&table, "ID            NAME              N  MORE\n"
                           "20a6a75c-517  한빛종합검진센터  7  optional\n"
                           "20a6a75c-51f  B                 7  optional\n");
    table.width_max = 40;
    expect_printed(&table, "ID            NAME              N\n"
                           "20a6a75c-517  한빛종합검진센터  7\n"
                           "20a6a75c-51f  B                 7\n");
    table.width_max = 30;
    expect_printed(&table, "ID            NAME           N\n"
                           "20a6a75c-517  한빛종합검진…  7\n"
                           "20a6a75c-51f  B              7\n");
}

static void test_table_hidden_columns_are_in_the_csv(void **state)
{
    (void)state;
    static const struct table_column columns[] = {{"A", false}, {"B", false}};
    struct table table;
    table_init(&table, &arena, columns, 2);
    table.layout.hidden = TABLE_COLUMN(0);
    table_text(&table, "=1+1");
    table_text(&table, "x \"y\", z");
    table_text(&table, "-");
    table_text(&table, "");
    expect_printed(&table, "B\nx \"y\", z\n\n");
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    assert_non_null(file);
    assert_true(table_print_csv(&table, file));
    fclose(file);
    assert_string_equal(text, "\xef\xbb\xbf"
                              "A,B\r\n\"'=1+1\",\"x \"\"y\"\", z\"\r\n-,\r\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_table_fits_the_terminal_step_by_step, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_table_hidden_columns_are_in_the_csv, set_up, tear_down),
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
