#include "base/backlog.h"
#include "base/clock.h"
#include "base/unit_testing.h"

static const int64_t MS = NS_PER_MS;

/*
 * Takes `batches` batches, `gap_ms` apart, starting at *now_ns. Each has `commands` commands, `requests` of
 * which are requests, and leaves one request waiting.
 */
static void take_batches(struct backlog *backlog, int batches, size_t commands, size_t requests,
                         int64_t gap_ms, int64_t *now_ns)
{
    for (int i = 0; i < batches; i++) {
        backlog_took(backlog, commands, requests, 1, *now_ns);
        *now_ns += gap_ms * MS;
    }
}

static void test_backlog_with_nobody_left_waiting_predicts_nothing(void **state)
{
    (void)state;
    struct backlog backlog = {0};
    for (int64_t i = 0; i < 10; i++)
        backlog_took(&backlog, 5, 5, 0, i * 100 * MS);
    assert_int_equal(backlog_wait_ns(&backlog, 1000), 0);
}

static void test_backlog_steady_rate_is_predicted(void **state)
{
    (void)state;
    struct backlog backlog = {0};
    int64_t now_ns = 1000 * MS;
    take_batches(&backlog, 1, 30, 30, 20, &now_ns);
    assert_int_equal(backlog_wait_ns(&backlog, 300), 0); /* the duration of the batch is not yet known */
    take_batches(&backlog, 1, 30, 30, 20, &now_ns);
    assert_in_range(backlog_wait_ns(&backlog, 300), 199 * MS, 201 * MS);
    take_batches(&backlog, 50, 30, 30, 20, &now_ns);
    assert_in_range(backlog_wait_ns(&backlog, 300), 199 * MS, 201 * MS);
    assert_int_equal(backlog_wait_ns(&backlog, 0), 0);
}

static void test_backlog_slower_and_faster_batches_are_noticed_soon(void **state)
{
    (void)state;
    struct backlog backlog = {0};
    int64_t now_ns = 0;
    take_batches(&backlog, 50, 100, 100, 10, &now_ns);
    take_batches(&backlog, 30, 100, 100, 100, &now_ns);
    assert_in_range(backlog_wait_ns(&backlog, 1000), 900 * MS, 1000 * MS);
    take_batches(&backlog, 40, 100, 100, 10, &now_ns);
    assert_in_range(backlog_wait_ns(&backlog, 1000), 100 * MS, 130 * MS);
}

/* Each request causes a settle, and settles are served before requests. The predicted wait includes them. */
static void test_backlog_what_goes_before_requests_counts(void **state)
{
    (void)state;
    struct backlog backlog = {0};
    int64_t now_ns = 0;
    for (int i = 0; i < 40; i++)
        take_batches(&backlog, 1, 100, i % 2 == 0 ? 100 : 0, 10, &now_ns);
    assert_in_range(backlog_wait_ns(&backlog, 1000), 180 * MS, 240 * MS);
}

/* Requests and settles arrive in bursts, so the first batches may have only one of the two kinds. */
static void test_backlog_that_begins_with_a_batch_of_settles_is_not_overestimated(void **state)
{
    (void)state;
    struct backlog backlog = {0};
    int64_t now_ns = 0;
    backlog_took(&backlog, 512, 512, 0, now_ns);
    now_ns += 10 * MS;
    take_batches(&backlog, 1, 512, 512, 10, &now_ns);
    take_batches(&backlog, 2, 512, 0, 10, &now_ns);
    assert_in_range(backlog_wait_ns(&backlog, 512), 10 * MS, 30 * MS);
}

static void test_backlog_without_requests_served_predicts_long(void **state)
{
    (void)state;
    struct backlog backlog = {0};
    int64_t now_ns = 0;
    take_batches(&backlog, 20, 10, 0, 100, &now_ns);
    assert_true(backlog_wait_ns(&backlog, 10) > 1000 * MS);
}

/* After the backlog has drained, an earlier stall of the database must not cause refusals. */
static void test_backlog_worked_off_is_forgotten(void **state)
{
    (void)state;
    struct backlog backlog = {0};
    int64_t now_ns = 0;
    take_batches(&backlog, 5, 1, 1, 1000, &now_ns);
    assert_true(backlog_wait_ns(&backlog, 10) > 5000 * MS);
    backlog_took(&backlog, 10, 10, 0, now_ns);
    assert_int_equal(backlog_wait_ns(&backlog, 10), 0);
}

static void test_backlog_of_a_queue_served_one_by_one_is_predicted(void **state)
{
    (void)state;
    struct backlog backlog = {0};
    for (int i = 0; i < 10; i++)
        backlog_passed(&backlog, 40, 20 * MS);
    assert_in_range(backlog_wait_ns(&backlog, 100), 49 * MS, 51 * MS);
    backlog_ended(&backlog);
    assert_int_equal(backlog_wait_ns(&backlog, 100), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backlog_with_nobody_left_waiting_predicts_nothing),
        cmocka_unit_test(test_backlog_steady_rate_is_predicted),
        cmocka_unit_test(test_backlog_slower_and_faster_batches_are_noticed_soon),
        cmocka_unit_test(test_backlog_what_goes_before_requests_counts),
        cmocka_unit_test(test_backlog_that_begins_with_a_batch_of_settles_is_not_overestimated),
        cmocka_unit_test(test_backlog_without_requests_served_predicts_long),
        cmocka_unit_test(test_backlog_worked_off_is_forgotten),
        cmocka_unit_test(test_backlog_of_a_queue_served_one_by_one_is_predicted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
