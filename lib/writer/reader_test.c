/* Tests the pool on a SQLite file with one row. */
#include <sched.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/unit_testing.h"
#include "writer/database_testing.h"
#include "writer/reader.h"
#include "writer/signal_testing.h"
#include "writer/writer_metrics.h"

static const struct db_statement select_answer = {.name = "select_answer", .sql = "SELECT answer FROM truth"};
static const struct db_statement insert_answer = {.name = "insert_answer",
                                                  .sql = "INSERT INTO truth (answer) VALUES (43)"};

struct rig {
    struct test_database database;
    struct reader_pool *pool;
    struct test_signal entered, gate_open, ended;
};

struct test_task {
    struct reader_task head;
    struct rig *rig;
    const struct db_statement *statement; /* NULL = select_answer */
    size_t gate;                          /* number of times the gate must open before the read ends */
    int64_t answer;
    size_t position;           /* the task's rank in the order of completion, from 1 */
    const struct error *cause; /* the error of the read, set by the test */
    enum status status;
    int runs, refusals;
    struct error explained;
    bool waited_in_vain;
};

/* ---- tasks ---- */

static enum status keep_answer(void *context, const struct db_row *row)
{
    ((struct test_task *)context)->answer = db_row_int(row, 0);
    return STATUS_OK;
}

static void end(struct test_task *task)
{
    task->position = test_signal_raise(&task->rig->ended);
}

static void run(struct reader_task *head, struct db *db)
{
    struct test_task *task = (struct test_task *)head;
    const struct db_statement *statement = task->statement != NULL ? task->statement : &select_answer;
    task->runs++;
    if (task->gate > 0) {
        test_signal_raise(&task->rig->entered);
        task->waited_in_vain = !test_signal_await(&task->rig->gate_open, task->gate);
    }
    if (task->cause != NULL)
        reader_task_explain(head, task->cause, "r-1", &task->explained);
    else
        task->status = db_run(db, statement, NULL, keep_answer, task, NULL);
    end(task);
}

static void refuse(struct reader_task *head, const struct error *error)
{
    struct test_task *task = (struct test_task *)head;
    task->refusals++;
    task->status = error->status;
    end(task);
}

static struct test_task task_of(struct rig *rig)
{
    return (struct test_task){.head = {.run = run, .refuse = refuse}, .rig = rig, .status = STATUS_UNKNOWN};
}

/* ---- the rig ---- */

static struct rig *make_rig(void)
{
    static const struct test_signal fresh = TEST_SIGNAL_INIT;
    struct rig *rig = calloc(1, sizeof *rig);
    assert_non_null(rig);
    rig->entered = rig->gate_open = rig->ended = fresh;
    db_close(test_database_create(&rig->database,
                                  "CREATE TABLE truth (answer INTEGER); INSERT INTO truth VALUES (42);"));
    return rig;
}

static struct rig *open_rig(const struct reader_options *options)
{
    struct rig *rig = make_rig();
    assert_int_equal(reader_pool_open(rig->database.url, options, &rig->pool, NULL), STATUS_OK);
    return rig;
}

static void free_rig(struct rig *rig)
{
    test_database_destroy(&rig->database);
    free(rig);
}

static void submit(struct rig *rig, struct test_task *task)
{
    assert_int_equal(reader_pool_submit(rig->pool, &task->head, NULL), STATUS_OK);
}

/* Blocks one reader thread with the task `gate` until open_gate is called. */
static void close_gate(struct rig *rig, struct test_task *gate)
{
    *gate = task_of(rig);
    gate->gate = 1;
    submit(rig, gate);
    assert_true(test_signal_await(&rig->entered, 1));
}

static void open_gate(struct rig *rig)
{
    test_signal_raise(&rig->gate_open);
}

static void assert_answered(const struct test_task *task)
{
    assert_int_equal(task->runs, 1);
    assert_int_equal(task->refusals, 0);
    assert_int_equal(task->status, STATUS_OK);
    assert_int_equal(task->answer, 42);
    assert_false(task->waited_in_vain);
}

/* ---- tests ---- */

static void test_reader_task_reads_the_database(void **state)
{
    struct rig *rig = open_rig(&(struct reader_options){0});
    struct test_task task = task_of(rig);
    int64_t reads = metric_get(&writer_metrics.reads);
    (void)state;
    task.head.deadline_ns = clock_monotonic_ns() + (int64_t)60 * NS_PER_S;
    submit(rig, &task);
    assert_true(test_signal_await(&rig->ended, 1));
    reader_pool_close(rig->pool);
    assert_answered(&task);
    assert_int_equal(metric_get(&writer_metrics.reads), reads + 1);
    free_rig(rig);
}

static void test_reader_task_that_writes_is_refused_by_the_database(void **state)
{
    struct rig *rig = open_rig(&(struct reader_options){.threads = 1});
    struct test_task writes = task_of(rig), reads = task_of(rig);
    (void)state;
    writes.statement = &insert_answer;
    submit(rig, &writes);
    submit(rig, &reads);
    reader_pool_close(rig->pool);
    assert_int_not_equal(writes.status, STATUS_OK);
    assert_answered(&reads);
    free_rig(rig);
}

static void test_reader_two_threads_run_two_tasks_at_once(void **state)
{
    struct rig *rig = open_rig(&(struct reader_options){.threads = 2});
    struct test_task tasks[2] = {task_of(rig), task_of(rig)};
    (void)state;
    for (int i = 0; i < 2; i++) {
        tasks[i].gate = 1;
        submit(rig, &tasks[i]);
    }
    assert_true(test_signal_await(&rig->entered, 2)); /* both reads have started, and neither has ended */
    open_gate(rig);
    reader_pool_close(rig->pool);
    assert_answered(&tasks[0]);
    assert_answered(&tasks[1]);
    free_rig(rig);
}

static void test_reader_tasks_run_first_come_first_served(void **state)
{
    struct rig *rig = open_rig(&(struct reader_options){.threads = 1});
    struct test_task tasks[3], gate;
    (void)state;
    close_gate(rig, &gate);
    for (int i = 0; i < 3; i++) {
        tasks[i] = task_of(rig);
        submit(rig, &tasks[i]);
    }
    open_gate(rig);
    reader_pool_close(rig->pool); /* also completes the waiting tasks */
    assert_answered(&gate);
    for (size_t i = 0; i < 3; i++) {
        assert_answered(&tasks[i]);
        assert_int_equal(tasks[i].position, i + 2);
    }
    free_rig(rig);
}

static void test_reader_sources_take_turns(void **state)
{
    static const size_t positions[] = {2, 4, 5, 3}; /* three tasks from one source, then one from another */
    struct rig *rig = open_rig(&(struct reader_options){.threads = 1});
    struct test_task tasks[4], gate;
    (void)state;
    close_gate(rig, &gate);
    for (size_t i = 0; i < 4; i++) {
        tasks[i] = task_of(rig);
        tasks[i].head.item.source = i < 3 ? 1 : 2;
        submit(rig, &tasks[i]);
    }
    open_gate(rig);
    reader_pool_close(rig->pool);
    for (size_t i = 0; i < 4; i++) {
        assert_answered(&tasks[i]);
        assert_int_equal(tasks[i].position, positions[i]);
    }
    free_rig(rig);
}

static void test_reader_the_last_places_are_for_sources_that_hold_little(void **state)
{
    enum { PLACES = 16, KEPT = 2 };
    struct rig *rig = open_rig(&(struct reader_options){.threads = 1, .queue_max = PLACES});
    struct test_task tasks[PLACES], refused = task_of(rig), gate;
    (void)state;
    close_gate(rig, &gate); /* the gate holds a place too */
    for (size_t i = 1; i < PLACES - KEPT; i++) {
        tasks[i] = task_of(rig);
        submit(rig, &tasks[i]);
    }
    assert_int_equal(reader_pool_submit(rig->pool, &refused.head, NULL), STATUS_RESOURCE_EXHAUSTED);
    for (size_t i = PLACES - KEPT; i < PLACES; i++) {
        tasks[i] = task_of(rig);
        tasks[i].head.item.source = 1;
        submit(rig, &tasks[i]);
    }
    refused.head.item.source = 2;
    assert_int_equal(reader_pool_submit(rig->pool, &refused.head, NULL), STATUS_RESOURCE_EXHAUSTED);
    open_gate(rig);
    reader_pool_close(rig->pool);
    for (size_t i = 1; i < PLACES; i++)
        assert_answered(&tasks[i]);
    free_rig(rig);
}

/*
 * Nine tasks of one source wait, and each takes one step. The deadline of the next task of that source is ten
 * steps away, so the task would spend more than half of its time waiting.
 */
static void test_reader_task_whose_wait_would_be_too_long_is_refused(void **state)
{
    enum { TASKS = 12, STEP_MS = 60 };
    struct rig *rig = open_rig(&(struct reader_options){.threads = 1});
    struct test_task tasks[TASKS], late = task_of(rig), other = task_of(rig);
    int64_t hopeless = metric_get(&writer_metrics.reads_hopeless);
    struct error error;
    (void)state;
    for (size_t i = 0; i < TASKS; i++) {
        tasks[i] = task_of(rig);
        tasks[i].gate = i + 1;
        submit(rig, &tasks[i]);
    }
    for (size_t i = 1; i <= 2; i++) {
        assert_true(test_signal_await(&rig->entered, i));
        int64_t until_ns = clock_monotonic_ns() + (int64_t)STEP_MS * NS_PER_MS;
        while (clock_monotonic_ns() < until_ns)
            sched_yield();
        open_gate(rig);
    }
    assert_true(test_signal_await(&rig->entered, 3));
    late.head.deadline_ns = other.head.deadline_ns = clock_monotonic_ns() + (int64_t)10 * STEP_MS * NS_PER_MS;
    assert_int_equal(reader_pool_submit(rig->pool, &late.head, &error), STATUS_RESOURCE_EXHAUSTED);
    assert_string_equal(error.reason, "OVERLOADED");
    assert_int_equal(metric_get(&writer_metrics.reads_hopeless), hopeless + 1);
    other.head.item.source = 1;
    submit(rig, &other);
    for (size_t i = 0; i < TASKS; i++)
        open_gate(rig);
    reader_pool_close(rig->pool);
    assert_int_equal(late.runs + late.refusals, 0);
    assert_int_equal(other.runs + other.refusals, 1);
    free_rig(rig);
}

static void test_reader_deadline_spent_in_the_queue_refuses(void **state)
{
    struct rig *rig = open_rig(&(struct reader_options){.threads = 1});
    struct test_task late = task_of(rig), good = task_of(rig), gate;
    int64_t expired = metric_get(&writer_metrics.reads_expired);
    (void)state;
    close_gate(rig, &gate);
    late.head.deadline_ns = clock_monotonic_ns() + NS_PER_MS;
    submit(rig, &late);
    submit(rig, &good);
    while (clock_monotonic_ns() <= late.head.deadline_ns)
        sched_yield();
    open_gate(rig);
    reader_pool_close(rig->pool);
    assert_int_equal(late.runs, 0);
    assert_int_equal(late.refusals, 1);
    assert_int_equal(late.status, STATUS_DEADLINE_EXCEEDED);
    assert_answered(&good);
    assert_int_equal(metric_get(&writer_metrics.reads_expired), expired + 1);
    free_rig(rig);
}

static void test_reader_full_queue_refuses_at_once(void **state)
{
    struct rig *rig = open_rig(&(struct reader_options){.threads = 1, .queue_max = 3});
    struct test_task tasks[3] = {task_of(rig), task_of(rig), task_of(rig)}, gate;
    int64_t waiting = metric_get(&writer_metrics.reads_waiting);
    int64_t overloaded = metric_get(&writer_metrics.reads_overloaded);
    struct error error = {0};
    (void)state;
    close_gate(rig, &gate);
    submit(rig, &tasks[0]);
    submit(rig, &tasks[1]);
    assert_int_equal(metric_get(&writer_metrics.reads_waiting), waiting + 2); /* the gate holds a place too */
    assert_int_equal(reader_pool_submit(rig->pool, &tasks[2].head, &error), STATUS_RESOURCE_EXHAUSTED);
    assert_string_equal(error.reason, "OVERLOADED");
    assert_true(error.retry_after_ms > 0);
    open_gate(rig);
    reader_pool_close(rig->pool);
    assert_answered(&tasks[0]);
    assert_answered(&tasks[1]);
    assert_int_equal(tasks[2].runs + tasks[2].refusals, 0);
    assert_int_equal(metric_get(&writer_metrics.reads_waiting), waiting);
    assert_int_equal(metric_get(&writer_metrics.reads_overloaded), overloaded + 1);
    free_rig(rig);
}

static void assert_explained(enum status cause, enum status explained, const char *reason,
                             const char *message, bool retry)
{
    struct rig *rig = open_rig(&(struct reader_options){.threads = 1});
    struct test_task task = task_of(rig);
    struct error error;
    error_set(&error, cause, NULL, "database: /secret/socket");
    task.cause = &error;
    submit(rig, &task);
    reader_pool_close(rig->pool);
    assert_int_equal(task.explained.status, explained);
    assert_string_equal(task.explained.reason, reason);
    assert_string_equal(task.explained.message, message);
    assert_int_equal(task.explained.retry_after_ms > 0, retry);
    free_rig(rig);
}

static void test_reader_failure_hides_what_the_database_said(void **state)
{
    (void)state;
    assert_explained(STATUS_UNAVAILABLE, STATUS_UNAVAILABLE, "NOT_READY",
                     "the database is not reachable, so nothing was executed; ask again", true);
    assert_explained(STATUS_DEADLINE_EXCEEDED, STATUS_UNAVAILABLE, "",
                     "the database did not answer in time; ask again", true);
    assert_explained(STATUS_INTERNAL, STATUS_INTERNAL, "", "a fault of the service, which has logged it",
                     false);
}

static void test_reader_refusal_is_passed_on_unchanged(void **state)
{
    (void)state;
    assert_explained(STATUS_NOT_FOUND, STATUS_NOT_FOUND, "", "database: /secret/socket", false);
    assert_explained(STATUS_RESOURCE_EXHAUSTED, STATUS_RESOURCE_EXHAUSTED, "", "database: /secret/socket",
                     false);
}

static void test_reader_database_not_there_fails_to_open(void **state)
{
    struct reader_pool *pool = NULL;
    struct error error = {0};
    (void)state;
    assert_int_equal(
        reader_pool_open("sqlite:/nonexistent/test.db", &(struct reader_options){0}, &pool, &error),
        STATUS_INVALID_ARGUMENT);
    assert_int_equal(error.status, STATUS_INVALID_ARGUMENT);
    assert_null(pool);
}

static void test_reader_schema_on_sqlite_fails_to_open(void **state)
{
    struct rig *rig = make_rig();
    (void)state;
    assert_int_equal(
        reader_pool_open(rig->database.url, &(struct reader_options){.schema = "history"}, &rig->pool, NULL),
        STATUS_INTERNAL);
    assert_null(rig->pool);
    free_rig(rig);
    reader_pool_close(NULL);
}

enum { SUBMITTERS = 4, PER_SUBMITTER = 500 };

struct submitter {
    pthread_t thread;
    struct rig *rig;
    struct test_task tasks[PER_SUBMITTER];
};

static void *submit_many(void *argument)
{
    struct submitter *self = argument;
    for (int i = 0; i < PER_SUBMITTER; i++) {
        self->tasks[i] = task_of(self->rig);
        while (reader_pool_submit(self->rig->pool, &self->tasks[i].head, NULL) != STATUS_OK)
            sched_yield();
    }
    return NULL;
}

static void test_reader_many_threads_answer_everything_once(void **state)
{
    static struct submitter submitters[SUBMITTERS];
    struct rig *rig = open_rig(&(struct reader_options){.threads = 3, .queue_max = 16});
    (void)state;
    for (int i = 0; i < SUBMITTERS; i++) {
        submitters[i].rig = rig;
        assert_int_equal(pthread_create(&submitters[i].thread, NULL, submit_many, &submitters[i]), 0);
    }
    for (int i = 0; i < SUBMITTERS; i++)
        assert_int_equal(pthread_join(submitters[i].thread, NULL), 0);
    reader_pool_close(rig->pool);
    for (int i = 0; i < SUBMITTERS * PER_SUBMITTER; i++)
        assert_answered(&submitters[i / PER_SUBMITTER].tasks[i % PER_SUBMITTER]);
    free_rig(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reader_task_reads_the_database),
        cmocka_unit_test(test_reader_task_that_writes_is_refused_by_the_database),
        cmocka_unit_test(test_reader_two_threads_run_two_tasks_at_once),
        cmocka_unit_test(test_reader_tasks_run_first_come_first_served),
        cmocka_unit_test(test_reader_sources_take_turns),
        cmocka_unit_test(test_reader_the_last_places_are_for_sources_that_hold_little),
        cmocka_unit_test(test_reader_task_whose_wait_would_be_too_long_is_refused),
        cmocka_unit_test(test_reader_deadline_spent_in_the_queue_refuses),
        cmocka_unit_test(test_reader_full_queue_refuses_at_once),
        cmocka_unit_test(test_reader_failure_hides_what_the_database_said),
        cmocka_unit_test(test_reader_refusal_is_passed_on_unchanged),
        cmocka_unit_test(test_reader_database_not_there_fails_to_open),
        cmocka_unit_test(test_reader_schema_on_sqlite_fails_to_open),
        cmocka_unit_test(test_reader_many_threads_answer_everything_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
