#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include "client/token_file.h"

enum { READERS = 4, REPLACEMENTS = 300, LETTERS = 26, TOKEN_LENGTH = 200 };

static char folder[40], path[64];

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/token_file_test.XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/token", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

/* Replaces the file by one that holds the letter TOKEN_LENGTH times. */
static void replace(char letter)
{
    char text[TOKEN_LENGTH + 1], beside[80];
    memset(text, letter, TOKEN_LENGTH);
    text[TOKEN_LENGTH] = '\0';
    snprintf(beside, sizeof beside, "%s.new", path);
    FILE *file = fopen(beside, "w");
    assert_non_null(file);
    assert_int_equal(fchmod(fileno(file), 0600), 0);
    fputs(text, file);
    fclose(file);
    assert_int_equal(rename(beside, path), 0);
}

/* Returns the letter of the token, or 0 if the token is not one letter TOKEN_LENGTH times. */
static char letter_of(const char *text)
{
    static const char scheme[] = "Bearer ";
    const char *token = text + sizeof scheme - 1;
    if (strncmp(text, scheme, sizeof scheme - 1) != 0 || strlen(token) != TOKEN_LENGTH)
        return 0;
    const char one[] = {token[0], '\0'};
    return strspn(token, one) == TOKEN_LENGTH ? token[0] : (char)0;
}

static char read_letter(struct token_file *file)
{
    char *text = NULL, why[TOKEN_FILE_WHY_SIZE];
    if (token_file_read(file, &text, why) != TOKEN_FILE_OK)
        return 0;
    char letter = letter_of(text);
    token_file_free(text);
    return letter;
}

static void test_token_file_read_sees_each_replacement(void **state)
{
    (void)state;
    struct token_file file;
    char *text, why[TOKEN_FILE_WHY_SIZE];
    assert_true(token_file_init(&file, path));
    assert_int_equal(token_file_read(&file, &text, why), TOKEN_FILE_ABSENT);
    for (char letter = 'a'; letter <= 'z'; letter++) {
        replace(letter);
        assert_int_equal(read_letter(&file), letter);
        assert_int_equal(read_letter(&file), letter);
    }
    unlink(path);
    assert_int_equal(token_file_read(&file, &text, why), TOKEN_FILE_ABSENT);
    assert_memory_equal(why, path, strlen(path));
    token_file_fini(&file);
    token_file_fini(&file); /* allowed: it is all zero */
}

/* A reader thread: reads until the last letter arrives. Returns NULL if every token was whole. */
static void *read_until_last(void *context)
{
    char letter = 'a';
    while (letter != 'Z' && letter != 0)
        letter = read_letter(context);
    return letter == 0 ? context : NULL;
}

static void test_token_file_read_by_many_threads_sees_whole_tokens(void **state)
{
    (void)state;
    struct token_file file;
    pthread_t readers[READERS];
    assert_true(token_file_init(&file, path));
    replace('a');
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_until_last, &file), 0);
    for (int i = 0; i < REPLACEMENTS; i++)
        replace((char)('a' + i % LETTERS));
    replace('Z');
    for (int i = 0; i < READERS; i++) {
        void *wrong;
        assert_int_equal(pthread_join(readers[i], &wrong), 0);
        assert_null(wrong);
    }
    token_file_fini(&file);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_token_file_read_sees_each_replacement),
        TEST(test_token_file_read_by_many_threads_sees_whole_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
