#include <stdio.h>
#include <string.h>

#include "base/address_list.h"
#include "base/unit_testing.h"

enum { SERVICES = ADDRESS_TCP | ADDRESS_IPC };

static void expect_refused(const char *text, const char *message)
{
    struct address_list list;
    struct error error;
    assert_int_equal(address_list_parse(text, SERVICES, &list, &error), STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.message, message);
}

#define RULE "must be tcp://HOST:PORT (port 1 to 65535) or ipc://PATH"

static void test_address_list_of_every_kind_keeps_order_and_text(void **state)
{
    (void)state;
    struct address_list list;
    const char *text =
        "tcp://127.0.0.1:7102,ipc:///run/a b,tcp://b.example:1,tcp://[0:0::1]:65535,tcp://::2:9,"
        "tcp://eth0;10.0.0.1:7";
    assert_int_equal(address_list_parse(text, SERVICES, &list, NULL), STATUS_OK);
    static const struct listed_address expected[] = {
        {"tcp://127.0.0.1:7102", ADDRESS_TCP, 7102, false, "127.0.0.1"},
        {"ipc:///run/a b", ADDRESS_IPC, 0, false, ""},
        {"tcp://b.example:1", ADDRESS_TCP, 1, true, "b.example"},
        {"tcp://[0:0::1]:65535", ADDRESS_TCP, 65535, false, "::1"},
        {"tcp://::2:9", ADDRESS_TCP, 9, true, "::2"},
        {"tcp://eth0;10.0.0.1:7", ADDRESS_TCP, 7, false, "eth0;10.0.0.1"},
    };
    assert_int_equal(list.count, sizeof expected / sizeof expected[0]);
    for (size_t i = 0; i < list.count; i++) {
        assert_string_equal(list.items[i].text, expected[i].text);
        assert_string_equal(list.items[i].host, expected[i].host);
        assert_int_equal(list.items[i].scheme, expected[i].scheme);
        assert_int_equal(list.items[i].port, expected[i].port);
        assert_int_equal(list.items[i].named, expected[i].named);
    }
}

static void test_address_list_schemes_are_those_allowed(void **state)
{
    (void)state;
    struct address_list list;
    struct error error;
    assert_int_equal(address_list_parse("tls+tcp://a:1,inproc://x", SERVICES | ADDRESS_TLS | ADDRESS_INPROC,
                                        &list, &error),
                     STATUS_OK);
    assert_int_equal(list.items[0].scheme, ADDRESS_TLS);
    assert_true(list.items[0].named);
    assert_int_equal(list.items[1].scheme, ADDRESS_INPROC);
    assert_false(list.items[1].named);
    assert_int_equal(address_list_parse("tls+tcp://a", SERVICES | ADDRESS_TLS, &list, &error),
                     STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.message,
                        "must be tcp://HOST:PORT, tls+tcp://HOST:PORT (port 1 to 65535) or ipc://PATH");
    expect_refused("tls+tcp://a:1", RULE);
    expect_refused("tcp://a:1,inproc://x", "part 2 (inproc://x): " RULE);
}

static void test_address_list_bad_parts_are_named(void **state)
{
    (void)state;
    expect_refused("", RULE);
    expect_refused("tcp://a", RULE);
    expect_refused("http://a:1", RULE);
    expect_refused(",", "part 1 is empty");
    expect_refused("tcp://a:1,", "part 2 is empty");
    expect_refused("tcp://a:1,,tcp://b:1", "part 2 is empty");
    expect_refused("tcp://a:1,tcp://b", "part 2 (tcp://b): " RULE);
    expect_refused("tcp://a:1,tcp://b:", "part 2 (tcp://b:): " RULE);
    expect_refused("tcp://a:1,tcp://b:0", "part 2 (tcp://b:0): " RULE);
    expect_refused("tcp://a:1,tcp://b:65536", "part 2 (tcp://b:65536): " RULE);
    expect_refused("tcp://a:1,tcp://b:99999999999999999999", "part 2 (tcp://b:99999999999999999999): " RULE);
    expect_refused("tcp://a:1,tcp://b:+1", "part 2 (tcp://b:+1): " RULE);
    expect_refused("tcp://a:1,tcp://:1", "part 2 (tcp://:1): " RULE);
    expect_refused("tcp://a:1,tcp://[]:1", "part 2 (tcp://[]:1): " RULE);
    expect_refused("tcp://a:1,b:1", "part 2 (b:1): " RULE);
    expect_refused("tcp://a:1,ipc://", "part 2 (ipc://): an ipc path must have 1 to 107 bytes");
}

static void test_address_list_same_address_twice_is_refused(void **state)
{
    (void)state;
    expect_refused("tcp://a:1,tcp://b:1,tcp://a:1", "part 3 (tcp://a:1) is already part 1");
    expect_refused("tcp://a.example:1,tcp://A.Example:01", "part 2 (tcp://A.Example:01) is already part 1");
    expect_refused("tcp://[::1]:1,tcp://[0:0::1]:1", "part 2 (tcp://[0:0::1]:1) is already part 1");
    expect_refused("ipc:///a,ipc:///b,ipc:///b", "part 3 (ipc:///b) is already part 2");

    struct address_list list;
    assert_int_equal(address_list_parse("tcp://a:1,tcp://a:2,ipc://a:1", SERVICES, &list, NULL), STATUS_OK);
}

static void test_address_list_has_a_bound(void **state)
{
    (void)state;
    struct address_list list;
    char text[512] = "";
    for (int i = 1; i <= ADDRESS_LIST_MAX; i++)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%stcp://a:%d", i > 1 ? "," : "", i);
    assert_int_equal(address_list_parse(text, SERVICES, &list, NULL), STATUS_OK);
    assert_int_equal(list.count, ADDRESS_LIST_MAX);
    (void)snprintf(text + strlen(text), sizeof text - strlen(text), ",tcp://a:99");
    expect_refused(text, "part 17 (tcp://a:99): at most 16 addresses are allowed");
}

static void test_address_host_too_long_is_refused(void **state)
{
    (void)state;
    char text[2 * ADDRESS_HOST_SIZE] = "tcp://";
    struct listed_address address;
    memset(text + strlen(text), 'a', ADDRESS_HOST_SIZE - 1);
    (void)snprintf(text + strlen(text), sizeof text - strlen(text), ":1");
    assert_int_equal(listed_address_parse(text, SERVICES, &address, NULL), STATUS_OK);
    (void)snprintf(text + strlen(text) - 2, 4, "a:1");
    assert_int_equal(listed_address_parse(text, SERVICES, &address, NULL), STATUS_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_address_list_of_every_kind_keeps_order_and_text),
        cmocka_unit_test(test_address_list_schemes_are_those_allowed),
        cmocka_unit_test(test_address_list_bad_parts_are_named),
        cmocka_unit_test(test_address_list_same_address_twice_is_refused),
        cmocka_unit_test(test_address_list_has_a_bound),
        cmocka_unit_test(test_address_host_too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
