#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/unit_testing.h"
#include "db/folder_watch.h"

enum { PATH_SIZE = 128 };

struct place {
    char folder[32];
    char file[PATH_SIZE];
    char other[PATH_SIZE];
    char elsewhere[PATH_SIZE]; /* outside the folder */
};

static void make_file(const char *path)
{
    int file = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
    assert_true(file >= 0);
    close(file);
}

static void make_place(struct place *place)
{
    snprintf(place->folder, sizeof place->folder, "/tmp/folder-watch-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    snprintf(place->file, sizeof place->file, "%s/file", place->folder);
    snprintf(place->other, sizeof place->other, "%s/other", place->folder);
    snprintf(place->elsewhere, sizeof place->elsewhere, "%s.elsewhere", place->folder);
    make_file(place->file);
}

static void remove_place(const struct place *place)
{
    unlink(place->file);
    rmdir(place->folder);
}

static void expect_change(int watch)
{
    assert_true(folder_watch_changed(watch));
    assert_false(folder_watch_changed(watch));
}

static void test_folder_watch_notes_each_change_of_a_name_once(void **state)
{
    struct place place;
    int watch;
    (void)state;
    make_place(&place);
    watch = folder_watch_open(place.file);
    assert_true(watch >= 0);
    assert_false(folder_watch_changed(watch));
    make_file(place.other);
    expect_change(watch);
    assert_int_equal(rename(place.other, place.file), 0);
    expect_change(watch);
    assert_int_equal(rename(place.file, place.elsewhere), 0);
    expect_change(watch);
    assert_int_equal(rename(place.elsewhere, place.file), 0);
    expect_change(watch);
    assert_int_equal(unlink(place.file), 0);
    expect_change(watch);
    close(watch);
    remove_place(&place);
}

static void test_folder_watch_notes_that_the_folder_itself_is_renamed(void **state)
{
    struct place place;
    int watch;
    (void)state;
    make_place(&place);
    watch = folder_watch_open(place.file);
    assert_int_equal(rename(place.folder, place.elsewhere), 0);
    expect_change(watch);
    assert_int_equal(rename(place.elsewhere, place.folder), 0);
    expect_change(watch);
    close(watch);
    remove_place(&place);
}

static void test_folder_watch_does_not_note_what_is_written(void **state)
{
    struct place place;
    struct stat status;
    int watch, file;
    (void)state;
    make_place(&place);
    watch = folder_watch_open(place.file);
    file = open(place.file, O_RDWR);
    assert_int_equal(write(file, "text", 4), 4);
    assert_int_equal(fdatasync(file), 0);
    assert_int_equal(stat(place.file, &status), 0);
    close(file);
    assert_false(folder_watch_changed(watch));
    close(watch);
    remove_place(&place);
}

static void test_folder_watch_that_could_not_be_opened_says_nothing_is_certain(void **state)
{
    (void)state;
    assert_int_equal(folder_watch_open("/nonexistent/folder/file"), -1);
    assert_true(folder_watch_changed(-1));
    assert_true(folder_watch_changed(-1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folder_watch_notes_each_change_of_a_name_once),
        cmocka_unit_test(test_folder_watch_notes_that_the_folder_itself_is_renamed),
        cmocka_unit_test(test_folder_watch_does_not_note_what_is_written),
        cmocka_unit_test(test_folder_watch_that_could_not_be_opened_says_nothing_is_certain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
