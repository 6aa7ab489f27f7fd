#include "pki.h"
#include "signing_key.h"

#include <string.h>

#include "base/unit_testing.h"

static void test_signing_key_public_half_lacks_the_private_part_only(void **state)
{
    (void)state;
    json_t *key = signing_key_make();
    assert_non_null(key);
    json_t *public_half = signing_key_public(key);
    assert_non_null(json_object_get(key, "d"));
    assert_null(json_object_get(public_half, "d"));
    assert_int_equal(json_object_size(key), json_object_size(public_half) + 1);
    assert_string_equal(signing_key_id(key), signing_key_id(public_half));
    assert_int_equal(signing_key_end_s(key), 0);
    json_decref(public_half);
    json_decref(key);
}

static void test_pki_name_is_valid_takes_names_and_addresses_only(void **state)
{
    (void)state;
    static const char *const valid[] = {"a",           "localhost", "clinic.example", "a-b.c1", "127.0.0.1",
                                        "2001:db8::7", "::1",       "xn--9n2bp8q.kr", "1.2"};
    static const char *const invalid[] = {"",       ".",   "a.",      ".a",    "a..b", "-a",      "a-",
                                          "a b",    "*.a", "a,DNS:b", "a\nb",  "a/b",  "한빛.kr", "a:1",
                                          "::1%lo", "a_b", "IP:1",    "[::1]", "a;b",  "@a"};
    for (size_t i = 0; i < COUNT_OF(valid); i++)
        assert_true(pki_name_is_valid(valid[i]));
    for (size_t i = 0; i < COUNT_OF(invalid); i++)
        assert_false(pki_name_is_valid(invalid[i]));
    char label[65];
    memset(label, 'a', sizeof label);
    label[64] = '\0';
    assert_false(pki_name_is_valid(label)); /* a label has at most 63 characters */
    label[63] = '\0';
    assert_true(pki_name_is_valid(label));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signing_key_public_half_lacks_the_private_part_only),
        cmocka_unit_test(test_pki_name_is_valid_takes_names_and_addresses_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
