/* Tests that texts that look the same become equal. */
#include <string.h>

#include "base/unicode.h"
#include "base/unit_testing.h"

#define NFC_NAME "\ud55c\ube5b" /* two Hangul syllables */
#define NFD_NAME "\u1112\u1161\u11ab\u1107\u1175\u11be"

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

static void assert_tidy(const char *text, const char *expected)
{
    struct error error;
    const char *read = NULL;
    assert_string_equal(unicode_tidy(text, &arena), expected);
    assert_int_equal(unicode_read("name", text, 0, 200, &arena, &read, &error), STATUS_OK);
    assert_string_equal(read, expected);
    assert_ptr_equal(unicode_tidy(read, &arena), read); /* tidy text is not copied */
}

static void test_unicode_read_composes_and_folds_white_space(void **state)
{
    (void)state;
    static const char *const PAIRS[][2] = {
        {NFD_NAME, NFC_NAME},
        {"\u1112\u1161\u11ab\ube5b", NFC_NAME}, /* only the first syllable decomposed */
        {"\ud558\u11ab\ube5b", NFC_NAME},       /* a syllable and its last consonant */
        {"e\u0301", "\u00e9"},                  /* a letter and its accent */
        {"a\u0323\u0307", "\u1ea1\u0307"},      /* accents in canonical order */
        {"a\u0307\u0323", "\u1ea1\u0307"},      /* accents out of order */
        {"\u212b", "\u00c5"},                   /* the angstrom sign becomes the letter */
        {"\uf900", "\u8c48"},                   /* a compatibility ideograph becomes the ideograph */
        {"", ""},
        {" ", ""},
        {"\u3000\u00a0\u2003", ""},
        {"  a  b ", "a b"},
        {"a\u00a0b", "a b"},
        {"a \u3000\u2028\u2029\u202f\u205f\u1680 b", "a b"},
        {"\u200b a", "\u200b a"}, /* U+200B has no width, but is not white space */
        {"a\u200db", "a\u200db"}, /* joiners stay */
        {" \u0301", "\u0301"},
    };
    for (size_t i = 0; i < sizeof PAIRS / sizeof PAIRS[0]; i++)
        assert_tidy(PAIRS[i][0], PAIRS[i][1]);
}

static void test_unicode_read_leaves_tidy_text_where_it_is(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {"",          "a", NFC_NAME, "a b", "\u00e9\u00df", "\u91ab\u9662",
                                        "\U0001f3e5"};
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        struct error error;
        const char *read = NULL;
        assert_int_equal(unicode_read("name", TEXTS[i], 0, 9, &arena, &read, &error), STATUS_OK);
        assert_ptr_equal(read, TEXTS[i]);
    }
}

static void assert_refused(enum status status, const struct error *error, const char *message)
{
    assert_int_equal(status, STATUS_INVALID_ARGUMENT);
    assert_string_equal(error->message, message);
}

static void test_unicode_read_counts_what_is_kept(void **state)
{
    (void)state;
    struct error error;
    const char *read = NULL;
    assert_int_equal(unicode_read("name", NFD_NAME, 1, 2, &arena, &read, &error), STATUS_OK);
    assert_int_equal(unicode_read("name", "   a   ", 1, 2, &arena, &read, &error), STATUS_OK);
    assert_refused(unicode_read("name", NFD_NAME, 1, 1, &arena, &read, &error), &error,
                   "name: must have 1 to 1 characters");
    assert_refused(unicode_read("name", "a         b", 1, 2, &arena, &read, &error), &error,
                   "name: must have 1 to 2 characters");
    assert_refused(unicode_read("name", " \u3000 ", 1, 200, &arena, &read, &error), &error,
                   "name: must have 1 to 200 characters");
    assert_refused(unicode_read("name", "a\xff", 1, 200, &arena, &read, &error), &error,
                   "name: must be valid UTF-8");
    assert_refused(unicode_read("name", "a\t", 1, 200, &arena, &read, &error), &error,
                   "name: must not contain control characters");
}

static void test_unicode_read_takes_so_many_combining_characters_in_a_row(void **state)
{
    (void)state;
    struct error error;
    const char *read = NULL;
    char text[128] = "q";
    for (int i = 0; i < 15; i++)
        strncat(text, "\u0301\u0323", 5);
    strncat(text, "q\u0323", 4);
    assert_int_equal(unicode_read("name", text, 1, 200, &arena, &read, &error), STATUS_OK);
    strncat(text, "\u0301", 3);
    assert_int_equal(unicode_read("name", text, 1, 200, &arena, &read, &error), STATUS_OK);
    memmove(strrchr(text, 'q'), "\u0301\u0301", 5);
    assert_refused(unicode_read("name", text, 1, 200, &arena, &read, &error), &error,
                   "name: must not have more than 30 combining characters in a row");
}

static void test_unicode_decompose_is_the_form_of_other_systems(void **state)
{
    (void)state;
    assert_string_equal(unicode_decompose(NFC_NAME " \u00e9", &arena), NFD_NAME " e\u0301");
    const char *plain = "plain";
    assert_ptr_equal(unicode_decompose(plain, &arena), plain);
}

static void test_unicode_shown_text_has_something_visible(void **state)
{
    (void)state;
    static const char *const SHOWN[] = {"",
                                        "a",
                                        NFC_NAME,
                                        "\u0915\u094d\u200d\u0937",
                                        "\u200ba",
                                        "\u3164a",
                                        "\U0001f468\u200d\u2695\ufe0f",
                                        "\u0301"};
    static const char *const BLANK[] = {" ",      "\u200b", "\u200c\u200d", "\u3164",     "\u115f\u1160",
                                        "\uffa0", "\u00ad", "\u034f",       "\u17b4",     "\u2060",
                                        "\u2065", "\ufeff", "\ufe0f",       "\U000e0041", "\U000e0fff",
                                        "\ufff0", "\ufff9", "\u2800",       "\u180e",     "\u3000 \u200b"};
    struct error error;
    for (size_t i = 0; i < sizeof SHOWN / sizeof SHOWN[0]; i++)
        assert_int_equal(unicode_check_shown("name", SHOWN[i], &error), STATUS_OK);
    for (size_t i = 0; i < sizeof BLANK / sizeof BLANK[0]; i++) {
        assert_refused(unicode_check_shown("name", BLANK[i], &error), &error,
                       "name: must have a visible character");
    }
}

static void test_unicode_bidi_controls_are_refused(void **state)
{
    (void)state;
    static const char *const CONTROLS[] = {"\u061c", "\u200e", "\u200f", "\u202a", "\u202b", "\u202c",
                                           "\u202d", "\u202e", "\u2066", "\u2067", "\u2068", "\u2069"};
    struct error error;
    for (size_t i = 0; i < sizeof CONTROLS / sizeof CONTROLS[0]; i++) {
        char text[16] = "a";
        strncat(text, CONTROLS[i], sizeof text - 3);
        strncat(text, "b", 2);
        assert_refused(unicode_check_shown("name", text, &error), &error,
                       "name: must not contain bidirectional control characters");
        assert_refused(unicode_check_id("customer_id", text, 1, 64, &error), &error,
                       "customer_id: must not contain invisible characters");
    }
}

static void test_unicode_ids_have_nothing_invisible(void **state)
{
    (void)state;
    static const char *const INVISIBLE[] = {"c\u200d", "c\u200c", "\u3164",      "c\u115f", "c\u00ad",
                                            "c\ufe0f", "c\u2060", "\U000e0041c", "c\u2065"};
    struct error error;
    for (size_t i = 0; i < sizeof INVISIBLE / sizeof INVISIBLE[0]; i++) {
        assert_refused(unicode_check_id("customer_id", INVISIBLE[i], 1, 64, &error), &error,
                       "customer_id: must not contain invisible characters");
    }
    assert_refused(unicode_check_id("customer_id", "c d", 1, 64, &error), &error,
                   "customer_id: must not contain spaces");
    assert_int_equal(unicode_check_id("customer_id", "c-1@" NFC_NAME, 1, 64, &error), STATUS_OK);
    assert_int_equal(unicode_check_id("customer_id", NFD_NAME, 1, 64, &error), STATUS_OK); /* opaque */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_unicode_read_composes_and_folds_white_space, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unicode_read_leaves_tidy_text_where_it_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unicode_read_counts_what_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unicode_read_takes_so_many_combining_characters_in_a_row, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_unicode_decompose_is_the_form_of_other_systems, set_up,
                                        tear_down),
        cmocka_unit_test(test_unicode_shown_text_has_something_visible),
        cmocka_unit_test(test_unicode_bidi_controls_are_refused),
        cmocka_unit_test(test_unicode_ids_have_nothing_invisible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
