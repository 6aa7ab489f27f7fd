#include "client/address.h"

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <string.h>

static void test_address_parse_reads_the_three_forms(void **state)
{
    struct address address;
    (void)state;
    assert_true(address_parse("tcp://db.example:7101", &address));
    assert_false(address.tls || address.ipc);
    assert_string_equal(address.host, "db.example");
    assert_string_equal(address.port, "7101");
    assert_true(address_parse("tls+tcp://[::1]:65535", &address));
    assert_true(address.tls);
    assert_string_equal(address.host, "::1");
    assert_true(address_parse("ipc:///run/rpc", &address));
    assert_true(address.ipc);
    assert_string_equal(address.host, "/run/rpc");
}

static void test_address_parse_refuses_everything_else(void **state)
{
    static const char *const wrong[] = {"",          "tcp://",         "tcp://:1",         "tcp://h:",
                                        "tcp://h:0", "tcp://h:65536",  "tcp://h:999999",   "tcp://h:1x",
                                        "ipc://",    "tls+ipc:///run", "http://h:1",       "h:1",
                                        "tcp://h",   "tls+",           "tls+tls+tcp://h:1"};
    struct address address;
    char path[200] = "ipc://";
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(address_parse(wrong[i], &address));
    assert_false(address_parse(NULL, &address));
    memset(path + strlen(path), 'x', sizeof path - strlen(path) - 1);
    path[sizeof path - 1] = '\0';
    assert_false(address_parse(path, &address));
}

static void test_address_is_open_beyond_this_machine_without_tls(void **state)
{
    static const struct {
        const char *text;
        bool open;
    } cases[] = {
        {"tcp://127.0.0.1:1", false},
        {"tcp://127.255.255.254:1", false},
        {"tcp://[::1]:1", false},
        {"tcp://localhost:1", false},
        {"ipc:///run/rpc", false},
        {"tls+tcp://db.example:1", false},
        {"tls+tcp://192.0.2.1:1", false},
        {"tcp://192.0.2.1:1", true},
        {"tcp://[2001:db8::1]:1", true},
        {"tcp://db.example:1", true},
        {"tcp://localhost.example:1", true},
        {"tcp://127.0.0.1.example:1", true},
        {"tcp://[::ffff:192.0.2.1]:1", true},
        {"tcp://0.0.0.0:1", true},
        {"tcp://[::]:1", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct address address;
        assert_true(address_parse(cases[i].text, &address));
        assert_int_equal(address_is_open(&address), cases[i].open);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_address_parse_reads_the_three_forms),
        cmocka_unit_test(test_address_parse_refuses_everything_else),
        cmocka_unit_test(test_address_is_open_beyond_this_machine_without_tls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
