#include "csv.h"

#include <string.h>

#include "base/unit_testing.h"

struct expected {
    enum csv_result result;
    size_t line;
    const char *fields; /* joined with '|'; for a bad record, the beginning of the error */
};

static void expect(const char *text, size_t size, const struct expected *expected, size_t count)
{
    struct arena arena;
    struct csv_reader reader;
    arena_init(&arena);
    csv_init(&reader, text, size);
    for (size_t i = 0; i < count; i++) {
        struct csv_record record;
        struct error error;
        assert_int_equal(csv_next(&reader, &arena, &record, &error), expected[i].result);
        assert_int_equal(record.line, expected[i].line);
        if (expected[i].result == CSV_BAD) {
            assert_ptr_equal(strstr(error.message, expected[i].fields), error.message);
            continue;
        }
        const char *joined = "";
        for (size_t f = 0; f < record.count; f++)
            joined = arena_printf(&arena, "%s%s%s", joined, f > 0 ? "|" : "", record.fields[f]);
        assert_string_equal(joined, expected[i].fields);
    }
    struct csv_record record;
    struct error error;
    assert_int_equal(csv_next(&reader, &arena, &record, &error), CSV_END);
    arena_fini(&arena);
}

#define EXPECT(text, ...)                                                                                    \
    do {                                                                                                     \
        const struct expected expected_[] = {__VA_ARGS__};                                                   \
        expect((text), sizeof(text) - 1, expected_, sizeof expected_ / sizeof expected_[0]);                 \
    } while (0)

static void test_csv_plain_lines_are_records(void **state)
{
    (void)state;
    EXPECT("a,b\nc,d\n", {CSV_RECORD, 1, "a|b"}, {CSV_RECORD, 2, "c|d"});
    EXPECT("a,b\r\nc,d", {CSV_RECORD, 1, "a|b"}, {CSV_RECORD, 2, "c|d"});
    EXPECT("a,,\n,\n", {CSV_RECORD, 1, "a||"}, {CSV_RECORD, 2, "|"});
}

static void test_csv_empty_text_and_empty_lines_are_no_records(void **state)
{
    (void)state;
    expect("", 0, NULL, 0);
    expect("\n\r\n", 3, NULL, 0);
    EXPECT("\n\na\n\n", {CSV_RECORD, 3, "a"});
}

static void test_csv_byte_order_mark_is_skipped(void **state)
{
    (void)state;
    EXPECT("\xef\xbb\xbf"
           "a,b\n",
           {CSV_RECORD, 1, "a|b"});
    EXPECT("\xef\xbb\xbf\"a\",b\n", {CSV_RECORD, 1, "a|b"});
}

static void test_csv_quoted_fields_hold_commas_quotes_and_lines(void **state)
{
    (void)state;
    EXPECT("\"a,b\",\"say \"\"hi\"\"\"\nx\n", {CSV_RECORD, 1, "a,b|say \"hi\""}, {CSV_RECORD, 2, "x"});
    EXPECT("\"two\nlines\",b\r\nx\n", {CSV_RECORD, 1, "two\nlines|b"}, {CSV_RECORD, 3, "x"});
    EXPECT("\"two\r\nlines\",\"\"\r\nx\n", {CSV_RECORD, 1, "two\r\nlines|"}, {CSV_RECORD, 3, "x"});
    EXPECT("\"\"\"\"", {CSV_RECORD, 1, "\""});
}

static void test_csv_wrong_quotes_are_reported_and_the_next_line_is_read(void **state)
{
    (void)state;
    EXPECT("a\"b,c\nx\n", {CSV_BAD, 1, "quotes: "}, {CSV_RECORD, 2, "x"});
    EXPECT("\"a\"b,c\nx\n", {CSV_BAD, 1, "quotes: "}, {CSV_RECORD, 2, "x"});
    EXPECT("a\n\"b,c\nx,y\n", {CSV_RECORD, 1, "a"}, {CSV_BAD, 2, "quotes: must be closed"},
           {CSV_RECORD, 3, "x|y"});
    EXPECT("\"b,c\n\"x\",y\n", {CSV_BAD, 1, "quotes: "}, {CSV_RECORD, 2, "x|y"});
    EXPECT("\"", {CSV_BAD, 1, "quotes: must be closed"});
}

static void test_csv_nul_and_too_many_fields_are_reported(void **state)
{
    (void)state;
    EXPECT("a\0b\nx\n", {CSV_BAD, 1, "record: must not contain NUL"}, {CSV_RECORD, 2, "x"});
    EXPECT("\"a\0b\"\nx\n", {CSV_BAD, 1, "record: must not contain NUL"}, {CSV_RECORD, 2, "x"});
    EXPECT(",,,,,,,,,,,,,,,,\nx\n", {CSV_BAD, 1, "record: must have at most 16 fields"},
           {CSV_RECORD, 2, "x"});
    EXPECT(",,,,,,,,,,,,,,,\n", {CSV_RECORD, 1, "|||||||||||||||"});
}

static void test_csv_lone_carriage_return_is_a_character(void **state)
{
    (void)state;
    EXPECT("a\rb,c\r", {CSV_RECORD, 1, "a\rb|c\r"});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csv_plain_lines_are_records),
        cmocka_unit_test(test_csv_empty_text_and_empty_lines_are_no_records),
        cmocka_unit_test(test_csv_byte_order_mark_is_skipped),
        cmocka_unit_test(test_csv_quoted_fields_hold_commas_quotes_and_lines),
        cmocka_unit_test(test_csv_wrong_quotes_are_reported_and_the_next_line_is_read),
        cmocka_unit_test(test_csv_nul_and_too_many_fields_are_reported),
        cmocka_unit_test(test_csv_lone_carriage_return_is_a_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
