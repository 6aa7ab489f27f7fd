#include "http_request.h"

#include <stdio.h>
#include <string.h>

#include "base/unit_testing.h"

enum { TEXT_SIZE = 128 };

static bool print(void *context, const char *name, const char *value)
{
    char *text = context;
    size_t used = strlen(text);
    (void)snprintf(text + used, TEXT_SIZE - used, "[%s=%s]", name, value);
    return true;
}

static void test_http_query_is_split_and_decoded(void **state)
{
    (void)state;
    const struct {
        const char *query, *shown;
    } cases[] = {
        {"", ""},
        {"a=b", "[a=b]"},
        {"a=b&c=d", "[a=b][c=d]"},
        {"&&a=b&=&", "[a=b]"},
        {"a", "[a=]"},
        {"=x", "[=x]"},
        {"a=b=c", "[a=b=c]"},
        {"n=%ED%95%9C+x%2B%26", "[n=\xed\x95\x9c x+&]"},
        {"%61=1", "[a=1]"},
        {"a=%00", "[a=%00]"},
        {"a=%", "[a=%]"},
        {"a=%4", "[a=%4]"},
        {"a=%zz+", "[a=%zz+]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[TEXT_SIZE] = "";
        struct http_request request = {.method = "GET"};
        arena_init(&request.arena);
        assert_int_equal(http_query_parse(&request, cases[i].query), STATUS_OK);
        assert_true(http_query_visit(&request, print, text));
        assert_string_equal(text, cases[i].shown);
        arena_fini(&request.arena);
    }
}

static void check_parameters(const char *query, enum status expected)
{
    struct http_request request = {.method = "GET"};
    arena_init(&request.arena);
    assert_int_equal(http_query_parse(&request, query), expected);
    assert_int_equal(request.query.count, HTTP_PARAMETERS_MAX);
    arena_fini(&request.arena);
}

static void test_http_query_has_a_largest_number_of_parameters(void **state)
{
    (void)state;
    char query[2 * HTTP_PARAMETERS_MAX + sizeof "a"];
    for (size_t i = 0; i < HTTP_PARAMETERS_MAX; i++)
        memcpy(query + 2 * i, "a&", sizeof "a&");
    check_parameters(query, STATUS_OK);
    memcpy(query + 2 * HTTP_PARAMETERS_MAX, "a", sizeof "a");
    check_parameters(query, STATUS_INVALID_ARGUMENT);
}

static void test_http_segment_is_decoded_once(void **state)
{
    (void)state;
    struct http_request request = {.method = "GET"};
    arena_init(&request.arena);
    assert_string_equal(http_segment(&request, "a%2Fb%2541+c/d", 12), "a/b%41+c");
    arena_fini(&request.arena);
}

static void test_http_list_grows(void **state)
{
    (void)state;
    struct http_request request = {.method = "GET"};
    arena_init(&request.arena);
    for (int i = 0; i < 100; i++)
        assert_true(http_list_add(&request.arena, &request.fields, i == 77 ? "x-here" : "x", "y"));
    assert_int_equal(request.fields.count, 100);
    assert_string_equal(http_header(&request, "X-Here"), "y");
    assert_null(http_header(&request, "X-There"));
    arena_fini(&request.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_query_is_split_and_decoded),
        cmocka_unit_test(test_http_query_has_a_largest_number_of_parameters),
        cmocka_unit_test(test_http_segment_is_decoded_once),
        cmocka_unit_test(test_http_list_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
