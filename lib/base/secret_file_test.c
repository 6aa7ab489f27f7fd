#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/secret_file.h"
#include "base/unit_testing.h"

enum { MAX = 16, OTHER_USER = 65534 };

/* How often secret_file_close released memory that it had not overwritten. */
static size_t left_in_memory;
static char *watched;

void __real_free(void *memory); // NOLINT(bugprone-reserved-identifier): the linker's names
void __wrap_free(void *memory); // NOLINT(bugprone-reserved-identifier)
void __wrap_free(void *memory)  // NOLINT(bugprone-reserved-identifier)
{
    if (watched != NULL && memory == watched)
        for (size_t i = 0; i < MAX + 1; i++)
            left_in_memory += watched[i] != '\0';
    __real_free(memory);
}

struct place {
    char folder[32];
    char file[48];
};

static void make_file(struct place *place, const char *text, mode_t mode)
{
    FILE *file = fopen(place->file, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(place->file, mode), 0);
}

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    assert_non_null(place);
    (void)snprintf(place->folder, sizeof place->folder, "/tmp/secret-file-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    (void)snprintf(place->file, sizeof place->file, "%s/key", place->folder);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    (void)unlink(place->file);
    assert_int_equal(rmdir(place->folder), 0);
    free(place);
    return 0;
}

static void refused(const struct place *place, const char *why)
{
    struct secret_file file = {0};
    struct error error = {0};
    char message[ERROR_MESSAGE_SIZE];
    (void)snprintf(message, sizeof message, "token-file: %s: %s", place->file, why);
    assert_int_equal(secret_file_open("token-file", place->file, MAX, &file, &error),
                     STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.message, message);
    assert_null(file.bytes);
}

static void accepted(const struct place *place, const char *text)
{
    struct secret_file file = {0};
    struct error error = {0};
    enum status status = secret_file_open("token-file", place->file, MAX, &file, &error);
    assert_string_equal(error.message, "");
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(file.size, strlen(text));
    assert_string_equal(file.bytes, text);
    secret_file_close(&file);
    assert_null(file.bytes);
    assert_int_equal(file.size, 0);
}

static void test_a_private_file_is_read_whole(void **state)
{
    make_file(*state, "s3cret\nline two", 0600);
    accepted(*state, "s3cret\nline two");
    make_file(*state, "0123456789abcdef", 0400);
    accepted(*state, "0123456789abcdef");
}

static void test_a_mode_that_gives_others_a_right_is_refused(void **state)
{
    for (unsigned right = 1; right <= 040; right <<= 1) {
        char why[80];
        (void)snprintf(why, sizeof why, "its mode is %04o: only its owner may read it (chmod 600)",
                       0600 | right);
        make_file(*state, "s3cret", 0600 | right);
        refused(*state, why);
    }
}

static void test_what_is_no_regular_file_is_refused_without_waiting(void **state)
{
    struct place *place = *state;
    assert_int_equal(mkfifo(place->file, 0600), 0);
    refused(place, "must be a regular file");
    assert_int_equal(unlink(place->file), 0);
    struct place folder = {0};
    (void)snprintf(folder.file, sizeof folder.file, "%s", place->folder);
    refused(&folder, "must be a regular file");
}

static void test_a_missing_an_empty_and_a_large_file_are_refused(void **state)
{
    refused(*state, "No such file or directory");
    make_file(*state, "", 0600);
    refused(*state, "is empty");
    make_file(*state, "0123456789abcdef0", 0600);
    refused(*state, "must have at most 16 bytes");
}

static void test_a_file_whose_size_is_unknown_before_it_is_read_is_bounded(void **state)
{
    (void)state;
    struct place endless = {.file = "/proc/self/environ"}; /* mode 0400, size 0 */
    assert_int_equal(setenv("SECRET_FILE_TEST", "longer than the bound", 1), 0);
    refused(&endless, "must have at most 16 bytes");
}

static void test_a_file_of_another_user_is_refused_and_one_of_root_is_not(void **state)
{
    struct place *place = *state;
    if (geteuid() != 0)
        skip();
    make_file(place, "s3cret", 0600);
    assert_int_equal(chown(place->file, OTHER_USER, (gid_t)-1), 0);
    refused(place, "must belong to user 0 or to root, not to user 65534");
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct secret_file file = {0};
        _exit(chmod(place->folder, 0755) == 0 && seteuid(OTHER_USER) == 0 &&
                      secret_file_open("token-file", place->file, MAX, &file, NULL) == STATUS_OK
                  ? 0
                  : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* The list of a file of root that user `id` may read, too: the form in which systemd gives a credential. */
static bool let_read(const struct place *place, uint32_t id, uint16_t rights_of_group)
{
    struct {
        uint32_t version;
        struct {
            uint16_t tag;
            uint16_t rights;
            uint32_t id;
        } entries[5];
    } list = {htole32(2),
              {{htole16(0x01), htole16(4), UINT32_MAX},
               {htole16(0x02), htole16(4), htole32(id)},
               {htole16(0x04), htole16(rights_of_group), UINT32_MAX},
               {htole16(0x10), htole16(4), UINT32_MAX},
               {htole16(0x20), htole16(0), UINT32_MAX}}};
    if (setxattr(place->file, "system.posix_acl_access", &list, sizeof list, 0) == 0)
        return true;
    assert_int_equal(errno, EOPNOTSUPP);
    return false;
}

static void test_an_access_control_list_may_name_this_user_only(void **state)
{
    struct place *place = *state;
    make_file(place, "s3cret", 0400);
    if (!let_read(place, geteuid(), 0))
        skip();
    accepted(place, "s3cret");
    assert_true(let_read(place, OTHER_USER, 0));
    refused(place, "its mode is 0440: only its owner may read it (chmod 600)");
    assert_true(let_read(place, geteuid(), 4));
    refused(place, "its mode is 0440: only its owner may read it (chmod 600)");
}

static void test_the_bytes_are_overwritten_before_they_are_released(void **state)
{
    struct secret_file file = {0};
    make_file(*state, "s3cret", 0600);
    assert_int_equal(secret_file_open("token-file", ((struct place *)*state)->file, MAX, &file, NULL),
                     STATUS_OK);
    watched = file.bytes;
    left_in_memory = 0;
    secret_file_close(&file);
    watched = NULL;
    assert_int_equal(left_in_memory, 0);
    secret_file_close(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_private_file_is_read_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_mode_that_gives_others_a_right_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_no_regular_file_is_refused_without_waiting, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_missing_an_empty_and_a_large_file_are_refused, set_up,
                                        tear_down),
        cmocka_unit_test(test_a_file_whose_size_is_unknown_before_it_is_read_is_bounded),
        cmocka_unit_test_setup_teardown(test_a_file_of_another_user_is_refused_and_one_of_root_is_not, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_an_access_control_list_may_name_this_user_only, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_the_bytes_are_overwritten_before_they_are_released, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
