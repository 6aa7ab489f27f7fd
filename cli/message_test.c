#include "message.h"

#include <stdlib.h>

#include "base/unit_testing.h"

static const char *const ENVIRONMENT[] = {"LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"};

/*
 * Returns the translation of "DATE" when the variables of ENVIRONMENT have these values. NULL means not set.
 */
static const char *date_with(const char *language, const char *all, const char *messages, const char *lang)
{
    const char *const values[] = {language, all, messages, lang};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        if (values[i] != NULL)
            setenv(ENVIRONMENT[i], values[i], 1);
        else
            unsetenv(ENVIRONMENT[i]);
    message_choose();
    return message("DATE");
}

static void test_message_choose_korean_locale_is_korean(void **state)
{
    (void)state;
    assert_string_equal(date_with(NULL, NULL, NULL, "ko_KR.UTF-8"), "날짜");
    assert_string_equal(date_with(NULL, NULL, NULL, "ko"), "날짜");
    assert_string_equal(date_with(NULL, NULL, "ko_KR", "en_US.UTF-8"), "날짜");
    assert_string_equal(date_with("", "ko_KR.UTF-8", "en_US", "C"), "날짜");
    assert_string_equal(date_with("de:ko:en", NULL, NULL, "en_US.UTF-8"), "날짜");
}

static void test_message_choose_any_other_locale_is_english(void **state)
{
    (void)state;
    assert_string_equal(date_with(NULL, NULL, NULL, NULL), "DATE");
    assert_string_equal(date_with("ko", NULL, NULL, NULL), "DATE");
    assert_string_equal(date_with("ko", NULL, NULL, "C.UTF-8"), "DATE");
    assert_string_equal(date_with(NULL, "POSIX", NULL, "ko_KR.UTF-8"), "DATE");
    assert_string_equal(date_with(NULL, NULL, NULL, "kok_IN"), "DATE");
    assert_string_equal(date_with("en:ko", NULL, NULL, "ko_KR.UTF-8"), "DATE");
    assert_string_equal(date_with(NULL, "en_US.UTF-8", NULL, "ko_KR.UTF-8"), "DATE");
}

static void test_message_without_translation_is_itself(void **state)
{
    (void)state;
    date_with(NULL, NULL, NULL, "ko_KR.UTF-8");
    static const char unknown[] = "zzz no such message";
    assert_ptr_equal(message(unknown), unknown);
    assert_string_equal(message(""), "");
    assert_string_equal(message("ADDRESS"), "주소");
    assert_string_equal(message("which command?"), "명령을 지정하세요"); /* last in the catalogue */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message_choose_korean_locale_is_korean),
        cmocka_unit_test(test_message_choose_any_other_locale_is_english),
        cmocka_unit_test(test_message_without_translation_is_itself),
    };
    return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
