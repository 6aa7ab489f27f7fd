#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/metrics.h"
#include "base/unit_testing.h"
#include "service/metrics_text.h"

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

static struct metric oldest = METRIC("test_oldest", "Registered before all others");
static struct histogram oldest_seconds = HISTOGRAM("test_oldest_seconds", "The same", 1, 1);

/*
 * Metrics that are registered while the text is written, as if by another thread: one of each kind at every
 * allocation.
 */
static struct metric late[8];
static struct histogram late_seconds[8];
static size_t late_count;
static bool out_of_memory, is_writing;

void *__wrap_calloc(size_t count, size_t size)
{
    if (is_writing && late_count < sizeof late / sizeof late[0]) {
        late[late_count] = (struct metric)METRIC("test_late", "Registered meanwhile");
        late_seconds[late_count] = (struct histogram)HISTOGRAM("test_late_seconds", "The same", 1, 1);
        metric_register(&late[late_count]);
        histogram_register(&late_seconds[late_count++]);
    }
    return out_of_memory ? NULL : __real_calloc(count, size);
}

static enum status write_text(char text[8192])
{
    FILE *out = fmemopen(text, 8192, "w");
    assert_non_null(out);
    is_writing = true;
    enum status status = metrics_text_write(out);
    is_writing = false;
    assert_int_equal(fclose(out), 0);
    return status;
}

static void test_metrics_text_misses_no_metric_while_others_are_registered(void **state)
{
    (void)state;
    char text[8192];
    metric_register(&oldest);
    histogram_register(&oldest_seconds);
    assert_int_equal(write_text(text), STATUS_OK);
    assert_true(late_count > 0);
    assert_non_null(strstr(text, "\ntest_oldest 0\n"));
    assert_non_null(strstr(text, "\ntest_oldest_seconds_count 0\n"));
}

static void test_metrics_text_without_memory_is_refused(void **state)
{
    (void)state;
    char text[8192];
    out_of_memory = true;
    enum status status = write_text(text);
    out_of_memory = false;
    assert_int_equal(status, STATUS_RESOURCE_EXHAUSTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metrics_text_misses_no_metric_while_others_are_registered),
        cmocka_unit_test(test_metrics_text_without_memory_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
