#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/standard_files.h"
#include "base/unit_testing.h"

enum { FILES = 3 };

static bool is_null_device(int file)
{
    struct stat wanted;
    struct stat found;
    return stat("/dev/null", &wanted) == 0 && fstat(file, &found) == 0 && S_ISCHR(found.st_mode) &&
           found.st_rdev == wanted.st_rdev;
}

/*
 * Runs in a child process. Closes the descriptors in the bit set `closed` and calls standard_files_open.
 * Returns 0 if exactly these descriptors are then open on /dev/null.
 */
static int child(unsigned closed)
{
    int kept = open("/dev/zero", O_RDWR);
    for (int file = 0; file < FILES; file++) {
        (void)close(file);
        if ((closed & (1U << file)) == 0 && dup2(kept, file) < 0)
            return 10;
    }
    standard_files_open();
    for (int file = 0; file < FILES; file++) {
        if (is_null_device(file) != ((closed & (1U << file)) != 0))
            return 20 + file;
        if ((fcntl(file, F_GETFD) & FD_CLOEXEC) != 0)
            return 30 + file;
    }
    return dup(0) >= FILES ? 0 : 40;
}

static void test_every_set_of_closed_files_is_opened_on_the_null_device(void **state)
{
    (void)state;
    for (unsigned closed = 0; closed < 1U << FILES; closed++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            _exit(child(closed));
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_set_of_closed_files_is_opened_on_the_null_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
