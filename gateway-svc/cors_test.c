#include "cors.h"

#include "base/unit_testing.h"

static const char ALLOWED[] = "https://clinic.example";

static bool refuses(const char *method, const char *origin, const char *site)
{
    return cors_refuses(ALLOWED, method, origin, site, "gateway.example:8443");
}

static void test_cors_refuses_writes_of_other_origins(void **state)
{
    (void)state;
    const char *const others[] = {"https://evil.example",
                                  "null",
                                  "",
                                  "https://gateway.example",
                                  "https://gateway.example:8444",
                                  "https://gateway.example:8443.evil.example",
                                  "ftp://gateway.example:8443",
                                  "https://clinic.example.evil.example"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_true(refuses("POST", others[i], NULL));
        assert_true(refuses("DELETE", others[i], "same-origin"));
        assert_false(refuses("GET", others[i], "cross-site"));
        assert_false(refuses("HEAD", others[i], NULL));
        assert_false(refuses("OPTIONS", others[i], "cross-site"));
    }
}

static void test_cors_refuses_no_write_of_the_own_or_the_allowed_origin(void **state)
{
    (void)state;
    assert_false(refuses("POST", ALLOWED, "cross-site"));
    assert_false(refuses("POST", "https://gateway.example:8443", "same-origin"));
    assert_false(refuses("PUT", "http://Gateway.Example:8443", NULL));
    assert_false(cors_refuses("", "POST", "https://gateway.example", NULL, "gateway.example:443"));
    assert_false(cors_refuses("", "POST", "http://gateway.example", NULL, "gateway.example"));
    assert_true(cors_refuses("", "POST", "http://gateway.example", NULL, "gateway.example:443"));
    assert_true(cors_refuses("", "POST", "http://gateway.example", NULL, NULL));
    assert_true(cors_refuses("", "POST", "", NULL, ""));
}

static void test_cors_refuses_cross_site_without_an_origin_only(void **state)
{
    (void)state;
    assert_true(refuses("POST", NULL, "cross-site"));
    assert_false(refuses("POST", NULL, "same-site"));
    assert_false(refuses("POST", NULL, "none"));
    assert_false(refuses("POST", NULL, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cors_refuses_writes_of_other_origins),
        cmocka_unit_test(test_cors_refuses_no_write_of_the_own_or_the_allowed_origin),
        cmocka_unit_test(test_cors_refuses_cross_site_without_an_origin_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
