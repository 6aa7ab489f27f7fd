#include <string.h>

#include "base/unit_testing.h"
#include "db/pg_array.h"

static void expect_bytes(struct pg_buffer *buffer, const void *expected, size_t size)
{
    assert_false(buffer->failed);
    assert_int_equal(buffer->size, size);
    assert_memory_equal(buffer->bytes, expected, size);
    pg_buffer_fini(buffer);
}

static void test_pg_array_with_a_null_has_header_flag_and_elements(void **state)
{
    static const char expected[] = "\0\0\0\1"
                                   "\0\0\0\1"
                                   "\0\0\0\24"
                                   "\0\0\0\3"
                                   "\0\0\0\1"
                                   "\0\0\0\10\0\0\0\0\0\0\1\0"
                                   "\377\377\377\377"
                                   "\0\0\0\10\377\377\377\377\377\377\377\376";
    struct db_params *params = db_params_create();
    struct pg_buffer buffer = {0};
    (void)state;
    db_params_int(params, 256);
    db_params_end_row(params);
    db_params_null(params);
    db_params_end_row(params);
    db_params_int(params, -2);
    db_params_end_row(params);
    pg_append_array(&buffer, params, 0, DB_INT);
    expect_bytes(&buffer, expected, sizeof expected - 1);
    db_params_destroy(params);
}

static void test_pg_array_takes_one_column_of_several(void **state)
{
    static const char expected[] = "\0\0\0\1"
                                   "\0\0\0\0"
                                   "\0\0\0\31"
                                   "\0\0\0\2"
                                   "\0\0\0\1"
                                   "\0\0\0\2ab"
                                   "\0\0\0\0";
    struct db_params *params = db_params_create();
    struct pg_buffer buffer = {0};
    (void)state;
    db_params_int(params, 1);
    db_params_text(params, "ab");
    db_params_end_row(params);
    db_params_int(params, 2);
    db_params_text(params, "");
    db_params_end_row(params);
    pg_append_array(&buffer, params, 1, DB_TEXT);
    expect_bytes(&buffer, expected, sizeof expected - 1);
    db_params_destroy(params);
}

static void test_pg_array_of_nulls_only_is_text(void **state)
{
    struct db_params *params = db_params_create();
    struct pg_buffer buffer = {0};
    (void)state;
    for (int row = 0; row < 2; row++) {
        db_params_null(params);
        db_params_end_row(params);
    }
    pg_append_array(&buffer, params, 0, DB_NULL);
    expect_bytes(&buffer, "{NULL,NULL}", sizeof "{NULL,NULL}");
    db_params_destroy(params);
}

static void test_pg_array_date_counts_from_2000(void **state)
{
    struct pg_buffer buffer = {0};
    (void)state;
    pg_append_value(&buffer, &(struct db_value){.type = DB_DATE, .as.day = PG_DATE_EPOCH_DAY - 1});
    expect_bytes(&buffer, "\377\377\377\377", 4);
}

static void test_pg_array_type_of_every_array_is_found(void **state)
{
    (void)state;
    for (int type = DB_NULL + 1; type < DB_TYPE_COUNT; type++)
        assert_int_equal(pg_type_of_array(pg_array_oid((enum db_type)type)), type);
    assert_int_equal(pg_type_of_array(0), DB_NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pg_array_with_a_null_has_header_flag_and_elements),
        cmocka_unit_test(test_pg_array_takes_one_column_of_several),
        cmocka_unit_test(test_pg_array_of_nulls_only_is_text),
        cmocka_unit_test(test_pg_array_date_counts_from_2000),
        cmocka_unit_test(test_pg_array_type_of_every_array_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
