#include "watch.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/unit_testing.h"

enum { BURNT_MS = 100, WRITTEN = 1 << 20, PAUSES = 20 };

static long suspensions(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return used.ru_nvcsw;
}

static int64_t used_ns(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return used.tv_sec * (int64_t)NS_PER_S + used.tv_nsec;
}

/* Uses processor time, blocks, and passes bytes to the kernel. */
static void work(void)
{
    static const char bytes[WRITTEN];
    const int64_t begin_ns = used_ns();
    while (used_ns() - begin_ns < BURNT_MS * (int64_t)NS_PER_MS) {
    }
    /* A pause that ends before the thread sleeps is not counted as a context switch. */
    for (long before = suspensions(); suspensions() - before < PAUSES;)
        nanosleep(&(struct timespec){.tv_nsec = NS_PER_US}, NULL);
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (write(nowhere, bytes, sizeof bytes) != WRITTEN)
        _exit(1);
    close(nowhere);
}

static void assert_work_was_seen(const struct watched *watched)
{
    const struct usage used = watch_used(watched);
    assert_true(watched->readable);
    assert_true(used.user_us + used.kernel_us >= BURNT_MS * US_PER_MS / 2); /* counted in ticks of 10 ms */
    assert_true(used.written_bytes >= WRITTEN);
    assert_true(used.rss_kib > 0 && used.rss_peak_kib >= used.rss_kib);
}

static void test_watch_this_process_between_the_two_moments(void **state)
{
    (void)state;
    struct watch watch = {.count = 0};
    assert_true(watch_add(&watch, "this", getpid()));
    watch_begin(&watch);
    work();
    watch_end(&watch);
    assert_work_was_seen(&watch.processes[0]);
    assert_true(watch_used(&watch.processes[0]).voluntary >= PAUSES);
    watch.processes[0].at_begin = watch.processes[0].at_end;
    assert_int_equal(watch_used(&watch.processes[0]).written_bytes, 0);
}

/* A child that has exited and been reaped counts like a running one. */
static void test_watch_children_count_with_their_parent(void **state)
{
    (void)state;
    for (int waits_before_the_end = 0; waits_before_the_end < 2; waits_before_the_end++) {
        struct watch watch = {.count = 0};
        int done[2];
        char byte;
        assert_true(watch_add(&watch, "parent", getpid()));
        assert_int_equal(pipe(done), 0);
        watch_begin(&watch);
        pid_t child = fork();
        if (child == 0) {
            work();
            if (write(done[1], "", 1) != 1)
                _exit(1);
            for (;;)
                pause();
        }
        assert_int_equal(read(done[0], &byte, 1), 1);
        if (!waits_before_the_end)
            watch_end(&watch);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        if (waits_before_the_end)
            watch_end(&watch);
        assert_work_was_seen(&watch.processes[0]);
        close(done[0]);
        close(done[1]);
    }
}

static void test_watch_a_process_that_is_gone_is_not_readable(void **state)
{
    (void)state;
    struct watch watch = {.count = 0};
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_true(watch_add(&watch, "gone", child));
    watch_begin(&watch);
    watch_end(&watch);
    assert_false(watch.processes[0].readable);
}

static void test_watch_takes_names_with_pids_as_long_as_there_is_room(void **state)
{
    (void)state;
    struct watch watch = {.count = 0};
    for (const char *const *text = (const char *const[]){"", "x", "x=", "x=1y", "x=0", "x=-1", NULL}; *text;
         text++)
        assert_false(watch_add_text(&watch, *text));
    assert_true(watch_add_text(&watch, "x=17"));
    assert_string_equal(watch.processes[0].name, "x");
    assert_int_equal(watch.processes[0].pid, 17);
    watch.count = 0;
    assert_false(watch_add(&watch, "a name of more than thirty-one letters", 1));
    for (int i = 0; i < WATCH_MAX; i++)
        assert_true(watch_add(&watch, "this", getpid()));
    assert_false(watch_add(&watch, "this", getpid()));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_watch_this_process_between_the_two_moments),
        cmocka_unit_test(test_watch_children_count_with_their_parent),
        cmocka_unit_test(test_watch_a_process_that_is_gone_is_not_readable),
        cmocka_unit_test(test_watch_takes_names_with_pids_as_long_as_there_is_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
