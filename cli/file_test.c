#include "file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/unit_testing.h"

static char folder[32], path[64];
static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/file_test.XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);
    arena_init(&arena);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_fini(&arena);
    unlink(path);
    return rmdir(folder); /* fails if a file was left beside the other */
}

static void replace(const char *text, mode_t mode)
{
    struct error error;
    assert_int_equal(file_replace(path, text, strlen(text), mode, &error), STATUS_OK);
}

static void assert_content(const char *expected, mode_t mode)
{
    struct error error;
    struct stat found;
    char *text;
    size_t size;
    assert_int_equal(file_read(&arena, path, 100, &text, &size, &error), STATUS_OK);
    assert_string_equal(text, expected);
    assert_int_equal(size, strlen(expected));
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mode & 07777, mode);
}

static void test_file_replace_sets_content_and_mode(void **state)
{
    (void)state;
    mode_t before = umask(077);
    replace("first", 0644);
    assert_content("first", 0644);
    umask(0);
    replace("", 0600);
    assert_content("", 0600);
    umask(before);
}

static void test_file_replace_leaves_an_open_file_as_it_was(void **state)
{
    (void)state;
    char text[8] = "";
    replace("first", 0600);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    replace("later", 0600);
    assert_non_null(fgets(text, sizeof text, file));
    assert_string_equal(text, "first");
    fclose(file);
    assert_content("later", 0600);
}

static void test_file_replace_of_a_folder_fails_and_leaves_nothing(void **state)
{
    (void)state;
    struct error error;
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(file_replace(path, "x", 1, 0600, &error), STATUS_FAILED_PRECONDITION);
    assert_memory_equal(error.message, path, strlen(path));
    assert_int_equal(rmdir(path), 0);
}

static void test_file_read_bounds_the_size(void **state)
{
    (void)state;
    struct error error;
    char *text;
    assert_int_equal(file_read(&arena, path, 5, &text, NULL, &error), STATUS_NOT_FOUND);
    replace("12345", 0600);
    assert_int_equal(file_read(&arena, path, 5, &text, NULL, &error), STATUS_OK);
    assert_string_equal(text, "12345");
    assert_int_equal(file_read(&arena, path, 4, &text, NULL, &error), STATUS_FAILED_PRECONDITION);
    assert_int_equal(file_read(&arena, folder, 4, &text, NULL, &error), STATUS_FAILED_PRECONDITION);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_file_replace_sets_content_and_mode),
        TEST(test_file_replace_leaves_an_open_file_as_it_was),
        TEST(test_file_replace_of_a_folder_fails_and_leaves_nothing),
        TEST(test_file_read_bounds_the_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
