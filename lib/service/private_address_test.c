#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/unit_testing.h"
#include "service/private_address.h"

static void check(const char *address, enum status expected)
{
    struct error error = {0};
    enum status status = private_address_check(address, &error);
    if (status != expected)
        fail_msg("%s: %s %s", address, status_name(status), error.message);
}

static void test_private_address_tcp_must_be_loopback_as_a_number(void **state)
{
    static const char *const good[] = {"tcp://127.0.0.1:7101", "tcp://127.200.0.1:1", "tcp://[::1]:7101"};
    static const char *const bad[] = {
        "tcp://0.0.0.0:7101",   "tcp://*:7101",     "tcp://10.0.0.1:7101",
        "tcp://128.0.0.1:7101", "tcp://[::]:7101",  "tcp://[2001:db8::1]:7101",
        "tcp://localhost:7101", "tcp://::1:7101",   "tcp://[127.0.0.1]:7101",
        "tcp://127.1:7101",     "tcp://[::1:7101",  "tcp://127.0.0.1.example:7101",
        "tcp://:7101",          "inproc://gateway", "ws://127.0.0.1:7101"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        check(good[i], STATUS_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        check(bad[i], STATUS_INVALID_ARGUMENT);
}

static void test_private_address_ipc_must_be_in_a_folder_of_ones_own(void **state)
{
    char folder[] = "/tmp/screening_private.XXXXXX", address[64];
    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(address, sizeof address, "ipc://%s/gateway", folder);
    check(address, STATUS_OK);
    for (mode_t bit = 1; bit <= S_IRGRP << 1; bit <<= 1) { /* no rights for group and others */
        assert_int_equal(chmod(folder, S_IRWXU | bit), 0);
        check(address, bit <= S_IRGRP ? STATUS_INVALID_ARGUMENT : STATUS_OK);
    }
    assert_int_equal(rmdir(folder), 0);
    check(address, STATUS_INVALID_ARGUMENT);
    check("ipc:///gateway", STATUS_INVALID_ARGUMENT);
    check("ipc:///tmp/gateway", STATUS_INVALID_ARGUMENT);
    check("ipc:///dev/null/gateway", STATUS_INVALID_ARGUMENT);
}

static void test_private_address_ipc_without_a_folder_is_in_the_current_one(void **state)
{
    char folder[] = "/tmp/screening_private.XXXXXX";
    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    check("ipc://gateway", STATUS_OK);
    assert_int_equal(chdir("/tmp"), 0);
    check("ipc://gateway", STATUS_INVALID_ARGUMENT);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_private_address_tcp_must_be_loopback_as_a_number),
        cmocka_unit_test(test_private_address_ipc_must_be_in_a_folder_of_ones_own),
        cmocka_unit_test(test_private_address_ipc_without_a_folder_is_in_the_current_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
