#include <dirent.h>
#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <nng/supplemental/util/platform.h>
#include <stdio.h>
#include <string.h>

#include "base/unit_testing.h"

enum { PATIENCE_MS = 30000 };

/* Returns the number of threads of this process that are named `wanted`. */
static int threads_named(const char *wanted)
{
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (const struct dirent *task; (task = readdir(tasks)) != NULL;) {
        char path[300], name[32] = "";
        (void)snprintf(path, sizeof path, "/proc/self/task/%s/comm", task->d_name);
        FILE *file = fopen(path, "re");
        if (file == NULL)
            continue; /* "." and ".." */
        if (fgets(name, sizeof name, file) != NULL)
            name[strcspn(name, "\n")] = '\0';
        (void)fclose(file);
        count += strcmp(name, wanted) == 0;
    }
    (void)closedir(tasks);
    return count;
}

/* Without the option, nng starts two threads per processor. */
static void test_callback_threads_any_machine_are_two(void **state)
{
    (void)state;
    nng_socket socket;
    assert_int_equal(nng_pair0_open(&socket), 0);
    /* A thread gets its name only when it runs. */
    for (int i = 0; i < PATIENCE_MS && threads_named("nng:task") < 2; i++)
        nng_msleep(1);
    assert_int_equal(threads_named("nng:task"), 2);
    assert_int_equal(nng_close(socket), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_callback_threads_any_machine_are_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
