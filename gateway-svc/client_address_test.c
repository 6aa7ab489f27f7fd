#include "client_address.h"

#include <arpa/inet.h>

#include "base/unit_testing.h"

static void check_v4(const char *address, const char *expected)
{
    char text[CLIENT_ADDRESS_SIZE];
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    assert_int_equal(inet_pton(AF_INET, address, &v4.sin_addr), 1);
    assert_true(client_address_format((struct sockaddr *)&v4, text));
    assert_string_equal(text, expected);
}

static void check_v6(const char *address, const char *expected)
{
    char text[CLIENT_ADDRESS_SIZE];
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    assert_int_equal(inet_pton(AF_INET6, address, &v6.sin6_addr), 1);
    assert_true(client_address_format((struct sockaddr *)&v6, text));
    assert_string_equal(text, expected);
}

static void test_client_address_of_ipv4_is_the_address(void **state)
{
    (void)state;
    check_v4("192.0.2.7", "192.0.2.7");
    check_v6("::ffff:192.0.2.7", "192.0.2.7");
}

static void test_client_address_of_ipv6_is_the_network(void **state)
{
    (void)state;
    check_v6("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64");
    check_v6("2001:db8:1:2::1", "2001:db8:1:2::/64");
    check_v6("2001:db8:1:2ff:ffff:ffff:ffff:ffff", "2001:db8:1:2ff::/64");
    check_v6("::1", "::/64");
}

static void test_client_address_of_other_families_is_unknown(void **state)
{
    char text[CLIENT_ADDRESS_SIZE];
    const struct sockaddr local = {.sa_family = AF_UNIX};
    (void)state;
    assert_false(client_address_format(&local, text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_client_address_of_ipv4_is_the_address),
        cmocka_unit_test(test_client_address_of_ipv6_is_the_network),
        cmocka_unit_test(test_client_address_of_other_families_is_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
