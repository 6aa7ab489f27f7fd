#include "protojson/base64.h"
#include "protojson/protojson_testing.h"

static void test_base64_rfc_vectors_encode_and_decode(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        const char *text;
    } cases[] = {{"", ""},
                 {"f", "Zg=="},
                 {"fo", "Zm8="},
                 {"foo", "Zm9v"},
                 {"foob", "Zm9vYg=="},
                 {"fooba", "Zm9vYmE="},
                 {"foobar", "Zm9vYmFy"},
                 {"\xfb\xff\xbf", "+/+/"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t size = strlen(cases[i].bytes);
        char text[16] = "";
        protojson_base64_encode((const uint8_t *)cases[i].bytes, size, text);
        assert_string_equal(text, cases[i].text);
        assert_int_equal(protojson_base64_length(size), strlen(cases[i].text));

        uint8_t bytes[16];
        size_t decoded = 99;
        assert_true(protojson_base64_decode(text, strlen(text), bytes, &decoded));
        assert_int_equal(decoded, size);
        assert_memory_equal(bytes, cases[i].bytes, size);
    }
}

static void test_base64_other_spellings_decode(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *bytes;
    } cases[] = {
        {"Zg", "f"}, {"Zm8", "fo"}, {"Zm9vYmE", "fooba"}, {"-_-_", "\xfb\xff\xbf"}, {"-w==", "\xfb"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t bytes[16];
        size_t size = 0;
        assert_true(protojson_base64_decode(cases[i].text, strlen(cases[i].text), bytes, &size));
        assert_int_equal(size, strlen(cases[i].bytes));
        assert_memory_equal(bytes, cases[i].bytes, size);
    }
}

static void test_base64_malformed_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {"Z",    "Zg=",   "Zg===",    "=",    "==",
                                        "====", "Zm9v=", "Zm9v====", "Z g=", "Zm9\n",
                                        "Zm=v", "Zm9vZ", "Zh==",     "Zm9=", "Zm9v\xed"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t bytes[16];
        size_t size = 7;
        if (protojson_base64_decode(cases[i], strlen(cases[i]), bytes, &size))
            fail_msg("accepted %s", cases[i]);
        assert_int_equal(size, 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64_rfc_vectors_encode_and_decode),
        cmocka_unit_test(test_base64_other_spellings_decode),
        cmocka_unit_test(test_base64_malformed_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
