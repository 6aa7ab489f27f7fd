/*
 * Tests which requests the writer refuses, which it drops when it is too slow, and which commands wait for
 * others. The apply of every batch waits until the test raises `step`.
 */
#include <sched.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/unit_testing.h"
#include "writer/database_testing.h"
#include "writer/signal_testing.h"
#include "writer/writer.h"
#include "writer/writer_metrics.h"

/* STEP_MS is long compared with the delays on a busy machine. */
enum { BATCHES_MAX = 64, STEP_MS = 100 };

struct rig {
    struct test_database database;
    struct writer *writer;
    struct test_signal begun, step, completed; /* batches begun, batches allowed to end, commands completed */
    struct writer_command *firsts[BATCHES_MAX];
    size_t sizes[BATCHES_MAX];
    size_t batches;
};

struct test_command {
    struct writer_command head;
    struct rig *rig;
};

static enum status apply(void *context, struct db *db, struct writer_command *const *commands, size_t count,
                         struct error *error)
{
    struct rig *rig = context;
    (void)db;
    assert_true(rig->batches < BATCHES_MAX);
    rig->firsts[rig->batches] = commands[0];
    rig->sizes[rig->batches++] = count;
    test_signal_raise(&rig->begun);
    if (!test_signal_await(&rig->step, rig->batches))
        return error_set(error, STATUS_INTERNAL, NULL, "the step never came");
    return STATUS_OK;
}

static void complete(struct writer_command *head)
{
    test_signal_raise(&((struct test_command *)head)->rig->completed);
}

static struct rig *open_rig_with(const struct writer_options *options)
{
    static const struct test_signal fresh = TEST_SIGNAL_INIT;
    struct rig *rig = calloc(1, sizeof *rig);
    struct writer_ops ops = {.apply = apply, .context = rig};
    assert_non_null(rig);
    rig->begun = rig->step = rig->completed = fresh;
    struct db *db = test_database_create(&rig->database, "CREATE TABLE unused (id INTEGER)");
    assert_int_equal(writer_open(db, options, &ops, &rig->writer, NULL), STATUS_OK);
    return rig;
}

static struct rig *open_rig(size_t batch_max)
{
    return open_rig_with(&(struct writer_options){.batch_max = batch_max});
}

/* Lets all batches end, waits until a total of `count` commands have completed, and closes the writer. */
static void close_rig(struct rig *rig, size_t count)
{
    for (size_t i = 0; i < BATCHES_MAX; i++)
        test_signal_raise(&rig->step);
    assert_true(test_signal_await(&rig->completed, count));
    writer_close(rig->writer);
    test_database_destroy(&rig->database);
    free(rig);
}

static void await_batch(struct rig *rig, size_t number)
{
    assert_true(test_signal_await(&rig->begun, number));
}

static enum status submit_from(struct rig *rig, uint64_t source, struct test_command *command,
                               int64_t deadline_ns, struct error *error)
{
    *command = (struct test_command){
        .head = {.item.source = source,
                 .class = WRITER_REQUEST,
                 .deadline_ns = deadline_ns,
                 .complete = complete},
        .rig = rig,
    };
    return writer_submit_request(rig->writer, &command->head, error);
}

static enum status submit(struct rig *rig, struct test_command *command, int64_t deadline_ns,
                          struct error *error)
{
    return submit_from(rig, 0, command, deadline_ns, error);
}

static void submit_all(struct rig *rig, struct test_command *commands, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_int_equal(submit(rig, &commands[i], 0, NULL), STATUS_OK);
}

static int64_t in_ms(int64_t ms)
{
    return clock_monotonic_ns() + ms * NS_PER_MS;
}

static void let_pass(int64_t ms)
{
    int64_t until_ns = in_ms(ms);
    while (clock_monotonic_ns() < until_ns)
        sched_yield();
}

/*
 * Runs one command per batch, each batch at least STEP_MS long. The duration of the second batch is known
 * when the third begins.
 */
static void make_slow(struct rig *rig, struct test_command *commands, size_t count)
{
    submit_all(rig, commands, count);
    await_batch(rig, 1);
    test_signal_raise(&rig->step);
    await_batch(rig, 2);
    let_pass(STEP_MS);
    test_signal_raise(&rig->step);
    await_batch(rig, 3);
}

static void test_writer_request_whose_wait_would_be_too_long_is_refused(void **state)
{
    struct rig *rig = open_rig(1);
    struct test_command commands[7], late, patient, timeless;
    struct error error;
    int64_t hopeless = metric_get(&writer_metrics.hopeless);
    int64_t overloaded = metric_get(&writer_metrics.overloaded);
    (void)state;
    make_slow(rig, commands, 7); /* four wait for two steps or more, even if the first batch took no time */
    assert_int_equal(submit(rig, &late, in_ms(3 * STEP_MS), &error), STATUS_RESOURCE_EXHAUSTED);
    assert_string_equal(error.reason, "OVERLOADED");
    assert_true(error.retry_after_ms > 0);
    assert_int_equal(metric_get(&writer_metrics.hopeless), hopeless + 1);
    assert_int_equal(metric_get(&writer_metrics.overloaded), overloaded);
    assert_int_equal(submit(rig, &patient, in_ms((int64_t)3600 * MS_PER_S), NULL), STATUS_OK);
    assert_int_equal(submit(rig, &timeless, 0, NULL), STATUS_OK);
    close_rig(rig, 9);
}

static void test_writer_without_a_backlog_refuses_no_request_for_its_wait(void **state)
{
    struct rig *rig = open_rig(1);
    struct test_command commands[4], next;
    (void)state;
    make_slow(rig, commands, 4);
    test_signal_raise(&rig->step);
    await_batch(rig, 4); /* the queue is empty */
    assert_int_equal(submit(rig, &next, in_ms(1), NULL), STATUS_OK);
    close_rig(rig, 5);
}

/*
 * `flood` and `other` have the same deadline. `flood` waits for all commands of its source, `other` for only
 * one of them.
 */
static void test_writer_one_sources_backlog_is_not_held_against_another(void **state)
{
    struct rig *rig = open_rig(1);
    struct test_command commands[60], flood, other;
    (void)state;
    int64_t begin_ns = clock_monotonic_ns();
    make_slow(rig, commands, 60); /* 57 wait */
    int64_t took_ms = (clock_monotonic_ns() - begin_ns) / NS_PER_MS + 1;
    int64_t deadline_ns = in_ms(4 * took_ms);
    assert_int_equal(submit(rig, &flood, deadline_ns, NULL), STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(submit_from(rig, 1, &other, deadline_ns, NULL), STATUS_OK);
    test_signal_raise(&rig->step);
    await_batch(rig, 4);
    test_signal_raise(&rig->step);
    await_batch(rig, 5);
    assert_ptr_equal(rig->firsts[4], &other.head);
    close_rig(rig, 61);
}

static void test_writer_the_last_places_are_for_sources_that_hold_little(void **state)
{
    struct rig *rig = open_rig_with(&(struct writer_options){.batch_max = 16, .queue_max = 16});
    struct test_command commands[14], other[3];
    (void)state;
    submit_all(rig, commands, 1);
    await_batch(rig, 1);
    submit_all(rig, commands + 1, 13);
    assert_int_equal(submit(rig, &other[0], 0, NULL), STATUS_RESOURCE_EXHAUSTED); /* 14 of 16 places taken */
    assert_int_equal(submit_from(rig, 1, &other[0], 0, NULL), STATUS_OK);
    assert_int_equal(submit_from(rig, 1, &other[1], 0, NULL), STATUS_OK);
    assert_int_equal(submit_from(rig, 2, &other[2], 0, NULL), STATUS_RESOURCE_EXHAUSTED);
    close_rig(rig, 16);
}

static void test_writer_expired_requests_take_no_room_in_a_batch(void **state)
{
    struct rig *rig = open_rig(3);
    struct test_command first, expired[4], live[4];
    int64_t dropped = metric_get(&writer_metrics.expired);
    (void)state;
    submit_all(rig, &first, 1);
    await_batch(rig, 1);
    int64_t deadline_ns = in_ms(1);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(submit(rig, &expired[i], deadline_ns, NULL), STATUS_OK);
    submit_all(rig, live, 4);
    let_pass(2);
    test_signal_raise(&rig->step);
    await_batch(rig, 2);
    assert_int_equal(rig->sizes[1], 3);
    assert_int_equal(metric_get(&writer_metrics.expired), dropped + 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(expired[i].head.outcome.status, STATUS_DEADLINE_EXCEEDED);
    test_signal_raise(&rig->step);
    await_batch(rig, 3);
    assert_int_equal(rig->sizes[2], 1);
    close_rig(rig, 9);
}

static void submit_patient(struct rig *rig, struct test_command *command)
{
    *command = (struct test_command){.head = {.class = WRITER_EVENT, .complete = complete}, .rig = rig};
    writer_submit_patient(rig->writer, &command->head);
}

static void test_writer_patient_event_joins_the_next_batch_of_others(void **state)
{
    (void)state;
    struct rig *rig = open_rig(512);
    struct test_command commands[2], patient[2];

    submit_all(rig, commands, 1);
    await_batch(rig, 1);
    submit_patient(rig, &patient[0]); /* submitted while a batch is being applied */
    test_signal_raise(&rig->step);
    let_pass(STEP_MS);
    submit_patient(rig, &patient[1]); /* submitted while no batch is being applied */
    let_pass(STEP_MS);
    assert_int_equal(submit(rig, &commands[1], 0, NULL), STATUS_OK);
    await_batch(rig, 2);
    assert_int_equal(rig->sizes[1], 3);
    close_rig(rig, 4);
}

static void test_writer_hurry_begins_a_batch_of_patient_events(void **state)
{
    (void)state;
    struct rig *rig = open_rig(512);
    struct test_command patient[2];

    writer_hurry(rig->writer); /* has no effect: no patient event waits */
    submit_patient(rig, &patient[0]);
    writer_hurry(rig->writer);
    await_batch(rig, 1);
    test_signal_raise(&rig->step);
    assert_true(test_signal_await(&rig->completed, 1));
    submit_patient(rig, &patient[1]);
    close_rig(rig, 1); /* closing does not wait for other commands */
}

static void test_writer_submit_and_wait_returns_the_outcome(void **state)
{
    (void)state;
    struct rig *rig = open_rig(512);
    struct writer_command settle = {.class = WRITER_SETTLE}, patient = {.class = WRITER_EVENT},
                          late = {.class = WRITER_SETTLE, .deadline_ns = 1};
    struct error error;

    test_signal_raise(&rig->step);
    assert_int_equal(writer_submit_and_wait(rig->writer, &settle, 0, &error), STATUS_OK);
    test_signal_raise(&rig->step);
    /* No other command starts a batch, so the event starts one when its patience ends. */
    assert_int_equal(writer_submit_and_wait(rig->writer, &patient, 1, &error), STATUS_OK);
    assert_int_equal(rig->batches, 2);
    assert_int_equal(writer_submit_and_wait(rig->writer, &late, 0, &error), STATUS_DEADLINE_EXCEEDED);
    assert_int_equal(error.status, STATUS_DEADLINE_EXCEEDED);
    assert_int_equal(rig->batches, 2);
    close_rig(rig, 0);
}

/* ---- background commands ---- */

static void submit_background(struct rig *rig, struct test_command *commands, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        commands[i] = (struct test_command){
            .head = {.class = WRITER_BACKGROUND, .complete = complete},
            .rig = rig,
        };
        writer_submit(rig->writer, &commands[i].head);
    }
}

/*
 * Checks the sizes of the batches that the writer forms from `requests` requests and `background` background
 * commands that arrived during another batch.
 */
static void assert_batches(size_t batch_max, size_t requests, size_t background, const size_t *sizes,
                           size_t count)
{
    struct rig *rig = open_rig(batch_max);
    struct test_command first, waiting[64], behind[64];
    submit_all(rig, &first, 1);
    await_batch(rig, 1);
    submit_background(rig, behind, background);
    submit_all(rig, waiting, requests);
    for (size_t i = 0; i < count; i++) {
        test_signal_raise(&rig->step);
        await_batch(rig, i + 2);
        assert_int_equal(rig->sizes[i + 1], sizes[i]);
    }
    close_rig(rig, 1 + requests + background);
}

static void test_writer_background_has_its_share_of_each_batch_and_no_more(void **state)
{
    (void)state;
    assert_batches(16, 20, 7, (const size_t[]){14 + 2, 6 + 2, 2, 1}, 4);
    assert_batches(16, 20, 1, (const size_t[]){15 + 1, 5}, 2);
    assert_batches(16, 0, 5, (const size_t[]){2, 2, 1}, 3);
    assert_batches(1, 3, 2, (const size_t[]){1, 1, 1, 1, 1}, 5);
}

static void test_writer_background_goes_behind_the_requests(void **state)
{
    (void)state;
    struct rig *rig = open_rig(1);
    struct test_command first, request, behind;
    submit_all(rig, &first, 1);
    await_batch(rig, 1);
    submit_background(rig, &behind, 1);
    submit_all(rig, &request, 1);
    test_signal_raise(&rig->step);
    await_batch(rig, 2);
    assert_ptr_equal(rig->firsts[1], &request.head);
    close_rig(rig, 3);
}

static void test_writer_silent_database_refuses_new_requests(void **state)
{
    (void)state;
    struct rig *rig = open_rig(1);
    struct test_command first, refused, again;
    struct error error;
    int64_t until_ns = in_ms(10000);
    submit_all(rig, &first, 1);
    await_batch(rig, 1);
    while (writer_database_trouble(rig->writer) == NULL && clock_monotonic_ns() < until_ns)
        sched_yield();
    assert_int_equal(submit(rig, &refused, 0, &error), STATUS_UNAVAILABLE);
    assert_string_equal(error.reason, "NOT_READY");
    assert_true(error.retry_after_ms > 0);
    test_signal_raise(&rig->step);
    assert_true(test_signal_await(&rig->completed, 1));
    while (submit(rig, &again, 0, &error) != STATUS_OK && clock_monotonic_ns() < until_ns)
        sched_yield();
    await_batch(rig, 2);
    assert_ptr_equal(rig->firsts[1], &again.head);
    close_rig(rig, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writer_request_whose_wait_would_be_too_long_is_refused),
        cmocka_unit_test(test_writer_without_a_backlog_refuses_no_request_for_its_wait),
        cmocka_unit_test(test_writer_one_sources_backlog_is_not_held_against_another),
        cmocka_unit_test(test_writer_the_last_places_are_for_sources_that_hold_little),
        cmocka_unit_test(test_writer_expired_requests_take_no_room_in_a_batch),
        cmocka_unit_test(test_writer_patient_event_joins_the_next_batch_of_others),
        cmocka_unit_test(test_writer_hurry_begins_a_batch_of_patient_events),
        cmocka_unit_test(test_writer_submit_and_wait_returns_the_outcome),
        cmocka_unit_test(test_writer_background_has_its_share_of_each_batch_and_no_more),
        cmocka_unit_test(test_writer_background_goes_behind_the_requests),
        cmocka_unit_test(test_writer_silent_database_refuses_new_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
