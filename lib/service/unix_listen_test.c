/* CMake links chmod and listen to functions that can fail. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/unit_testing.h"
#include "service/unix_listen.h"

enum { PATH_SIZE = 64 };

static bool chmod_fails, listen_fails;
static bool folder_locked; /* whether the folder of the path was locked at the last listen */

int __real_chmod(const char *path, mode_t mode);
int __real_listen(int fd, int backlog);
int __wrap_chmod(const char *path, mode_t mode);
int __wrap_listen(int fd, int backlog);

int __wrap_chmod(const char *path, mode_t mode)
{
    errno = EPERM;
    return chmod_fails ? -1 : __real_chmod(path, mode);
}

int __wrap_listen(int fd, int backlog)
{
    int folder = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(folder >= 0);
    folder_locked = flock(folder, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    close(folder);
    errno = EADDRINUSE;
    return listen_fails ? -1 : __real_listen(fd, backlog);
}

static void make_path(char path[PATH_SIZE])
{
    (void)snprintf(path, PATH_SIZE, "/tmp/unix_listen_test.%d", (int)getpid());
}

static void check_refused(const char *path, const char *why)
{
    struct error error;
    int fd = -1, before = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(before >= 0);
    close(before);
    assert_int_equal(unix_listen_on("http-listen", path, &fd, &error), STATUS_INVALID_ARGUMENT);
    assert_memory_equal(error.message, "http-listen: ", strlen("http-listen: "));
    assert_non_null(strstr(error.message, why));
    assert_int_equal(fd, -1);
    int after = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(after, before); /* no descriptor was left open */
    close(after);
}

static void test_unix_listen_leaves_nothing_when_a_step_fails(void **state)
{
    (void)state;
    char path[PATH_SIZE];
    make_path(path);
    chmod_fails = true;
    check_refused(path, strerror(EPERM));
    chmod_fails = false;
    assert_int_not_equal(access(path, F_OK), 0);
    listen_fails = true;
    check_refused(path, strerror(EADDRINUSE));
    listen_fails = false;
    assert_int_not_equal(access(path, F_OK), 0);
}

static void test_unix_listen_replaces_only_a_socket_on_which_no_process_listens(void **state)
{
    (void)state;
    char path[PATH_SIZE];
    struct stat found;
    int fd = -1;
    make_path(path);
    assert_int_equal(unix_listen_on("http-listen", path, &fd, NULL), STATUS_OK);
    assert_int_equal(lstat(path, &found), 0);
    assert_int_equal(found.st_mode & ALLPERMS, 0660);
    assert_true(folder_locked);
    check_refused(path, strerror(EADDRINUSE));
    assert_int_equal(access(path, F_OK), 0);
    close(fd);
    assert_int_equal(unix_listen_on("http-listen", path, &fd, NULL), STATUS_OK);
    close(fd);
    unlink(path);
    fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, S_IRUSR | S_IWUSR);
    assert_true(fd >= 0);
    check_refused(path, strerror(EADDRINUSE)); /* a file */
    assert_int_equal(access(path, F_OK), 0);
    close(fd);
    unlink(path);
}

/* Returns the largest backlog that the system allows. */
static int backlog_max(void)
{
    int max = 0;
    FILE *file = fopen("/proc/sys/net/core/somaxconn", "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%d", &max), 1);
    (void)fclose(file);
    return max;
}

static void test_unix_listen_lets_a_burst_of_connections_wait(void **state)
{
    (void)state;
    enum { BURST = 4000 };
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = -1, waiting = 0, max = backlog_max(), connected = 0;
    make_path(address.sun_path);
    assert_int_equal(unix_listen_on("http-listen", address.sun_path, &listener, NULL), STATUS_OK);
    for (; waiting < BURST && connected == 0; waiting += connected == 0) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        connected = connect(fd, (const struct sockaddr *)&address, sizeof address);
        close(fd); /* it keeps its place in the backlog */
    }
    assert_in_range(waiting, max < BURST ? max : BURST, BURST);
    close(listener);
    unlink(address.sun_path);
}

static void test_unix_listen_refuses_a_path_of_wrong_length(void **state)
{
    (void)state;
    char path[256];
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    check_refused(path, "must be unix:PATH");
    check_refused("", "must be unix:PATH");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unix_listen_leaves_nothing_when_a_step_fails),
        cmocka_unit_test(test_unix_listen_replaces_only_a_socket_on_which_no_process_listens),
        cmocka_unit_test(test_unix_listen_lets_a_burst_of_connections_wait),
        cmocka_unit_test(test_unix_listen_refuses_a_path_of_wrong_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
