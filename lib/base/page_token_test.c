#include <string.h>

#include "base/page_token.h"
#include "base/unit_testing.h"

static void test_page_token_comes_back_for_its_query(void **state)
{
    (void)state;
    static const int64_t MAJORS[] = {0, 1, -1, 20788, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof MAJORS / sizeof MAJORS[0]; i++) {
        struct page_position position = {.major = MAJORS[i], .id = uuid_v7()};
        struct page_position read;
        struct error error;
        char token[PAGE_TOKEN_SIZE];
        page_token_format(&position, "ListBookings|c1", token);
        assert_int_equal(strlen(token), PAGE_TOKEN_SIZE - 1);
        assert_int_equal(page_token_parse(token, "ListBookings|c1", &read, &error), STATUS_OK);
        assert_int_equal(read.major, position.major);
        assert_true(uuid_equal(&read.id, &position.id));
    }
}

static void test_page_token_of_another_query_is_refused(void **state)
{
    (void)state;
    struct page_position position = {.major = 5, .id = uuid_v7()};
    struct page_position read;
    struct error error;
    char token[PAGE_TOKEN_SIZE];
    page_token_format(&position, "ListBookings|c1", token);
    assert_int_equal(page_token_parse(token, "ListBookings|c2", &read, &error), STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.message, "page_token: must be the next_page_token of the same query");
}

static void test_page_token_changed_anywhere_is_refused(void **state)
{
    (void)state;
    struct page_position position = {.major = 5, .id = uuid_v7()};
    struct page_position read;
    char token[PAGE_TOKEN_SIZE];
    page_token_format(&position, "q", token);
    for (size_t i = 0; i < PAGE_TOKEN_SIZE - 1; i++) {
        char original = token[i];
        token[i] = original == '0' ? '1' : '0';
        assert_int_equal(page_token_parse(token, "q", &read, NULL), STATUS_INVALID_ARGUMENT);
        token[i] = original;
    }
    assert_int_equal(page_token_parse(token, "q", &read, NULL), STATUS_OK);
}

static void test_page_token_other_text_is_refused(void **state)
{
    (void)state;
    static const char *const TOKENS[] = {
        NULL,
        "",
        "x",
        "00",
        "000000000000000000000000000000000000000000000000000000000000000",
        "00000000000000000000000000000000000000000000000000000000000000000",
        "zz00000000000000000000000000000000000000000000000000000000000000",
    };
    for (size_t i = 0; i < sizeof TOKENS / sizeof TOKENS[0]; i++) {
        struct page_position read;
        struct error error;
        assert_int_equal(page_token_parse(TOKENS[i], "q", &read, &error), STATUS_INVALID_ARGUMENT);
        assert_string_equal(error.message, "page_token: must be a next_page_token");
    }
}

static void test_page_size_is_defaulted_and_bounded(void **state)
{
    (void)state;
    struct error error;
    uint32_t size = 0;
    assert_int_equal(page_size_check(0, &size, &error), STATUS_OK);
    assert_int_equal(size, 50);
    assert_int_equal(page_size_check(1, &size, &error), STATUS_OK);
    assert_int_equal(size, 1);
    assert_int_equal(page_size_check(500, &size, &error), STATUS_OK);
    assert_int_equal(size, 500);
    assert_int_equal(page_size_check(501, &size, &error), STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.message, "page_size: must be at most 500");
    assert_int_equal(page_size_check(UINT32_MAX, &size, NULL), STATUS_INVALID_ARGUMENT);
}

static void test_page_room_ends_before_the_answer_is_too_large(void **state)
{
    (void)state;
    struct page_room room;
    page_room_init(&room, 70 + 3 * (6 + 100));
    for (int i = 0; i < 3; i++)
        assert_true(page_room_take(&room, 100));
    assert_false(page_room_take(&room, 1));
    assert_false(page_room_take(&room, 0));
}

static void test_page_room_first_item_is_always_taken(void **state)
{
    (void)state;
    struct page_room room;
    page_room_init(&room, 10);
    assert_true(page_room_take(&room, 1000));
    assert_false(page_room_take(&room, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_page_token_comes_back_for_its_query),
        cmocka_unit_test(test_page_token_of_another_query_is_refused),
        cmocka_unit_test(test_page_token_changed_anywhere_is_refused),
        cmocka_unit_test(test_page_token_other_text_is_refused),
        cmocka_unit_test(test_page_size_is_defaulted_and_bounded),
        cmocka_unit_test(test_page_room_ends_before_the_answer_is_too_large),
        cmocka_unit_test(test_page_room_first_item_is_always_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
