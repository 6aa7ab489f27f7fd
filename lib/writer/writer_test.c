/*
 * Tests the queue and its thread on a SQLite file. Each command writes a row. The table counts how many times
 * each command was applied, and rejects the poisoned id. A gate command blocks the writer inside apply while
 * the test fills the queues.
 */
#include <sched.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/unit_testing.h"
#include "writer/database_testing.h"
#include "writer/signal_testing.h"
#include "writer/writer.h"
#include "writer/writer_metrics.h"

enum { IDS_MAX = 16384, POISON_ID = 666, GATE_ID = 0, BATCHES_MAX = 64 };

static const char schema[] = "CREATE TABLE applied (id INTEGER PRIMARY KEY, times INTEGER NOT NULL, "
                             "CHECK (id <> 666))";

static const struct db_statement apply_one = {
    .name = "apply_one",
    .sql = "INSERT INTO applied (id, times) VALUES ($1, 1) ON CONFLICT (id) DO UPDATE SET times = times + 1",
};
static const struct db_statement select_all = {
    .name = "select_all",
    .sql = "SELECT id, times FROM applied",
};

struct test_command {
    struct writer_command head;
    int64_t id;
    struct rig *rig;
    struct test_command *then_submit; /* a command that `complete` submits, according to its class */
    enum status then_status;          /* result of that submit */
    bool releases_place;              /* whether `complete` releases the place that the request kept */
};

/*
 * Records what happens, in order. Written by the writer thread; read by the test after a signal or after the
 * writer is closed.
 */
struct rig {
    struct test_database database;
    struct writer *writer;
    struct db_params *params;
    struct test_signal at_gate, gate_open, completed;
    size_t batch_sizes[BATCHES_MAX];
    size_t batches;
    size_t published;
    int64_t order[IDS_MAX]; /* ids in the order of apply */
    size_t applied;
    int times[IDS_MAX]; /* how many times each id was applied, according to the table */
};

/* ---- the service ---- */

static enum status apply(void *context, struct db *db, struct writer_command *const *commands, size_t count,
                         struct error *error)
{
    struct rig *rig = context;
    if (rig->batches < BATCHES_MAX)
        rig->batch_sizes[rig->batches] = count;
    rig->batches++;
    db_params_reset(rig->params);
    for (size_t i = 0; i < count; i++) {
        int64_t id = ((struct test_command *)commands[i])->id;
        if (rig->applied < IDS_MAX)
            rig->order[rig->applied++] = id;
        db_params_int(rig->params, id);
        db_params_end_row(rig->params);
    }
    if (((struct test_command *)commands[0])->id == GATE_ID) {
        test_signal_raise(&rig->at_gate);
        if (!test_signal_await(&rig->gate_open, 1))
            return error_set(error, STATUS_INTERNAL, NULL, "the gate was never opened");
    }
    return db_run(db, &apply_one, rig->params, NULL, NULL, error);
}

static void committed(void *context)
{
    ((struct rig *)context)->published++;
}

static void complete(struct writer_command *head)
{
    struct test_command *command = (struct test_command *)head;
    struct test_command *next = command->then_submit;
    struct rig *rig = command->rig;
    if (command->releases_place)
        writer_release_place(rig->writer, head->item.source);
    if (next != NULL && next->head.class == WRITER_REQUEST)
        command->then_status = writer_submit_request(rig->writer, &next->head, NULL);
    else if (next != NULL)
        writer_submit(rig->writer, &next->head);
    test_signal_raise(&rig->completed);
}

/* ---- the rig ---- */

static struct rig *open_rig(const struct writer_options *options)
{
    static const struct test_signal fresh = TEST_SIGNAL_INIT;
    struct rig *rig = calloc(1, sizeof *rig);
    struct writer_ops ops = {.apply = apply, .committed = committed, .context = rig};
    struct db *db;
    assert_non_null(rig);
    rig->at_gate = rig->gate_open = rig->completed = fresh;
    db = test_database_create(&rig->database, schema);
    rig->params = db_params_create();
    assert_non_null(rig->params);
    assert_int_equal(writer_open(db, options, &ops, &rig->writer, NULL), STATUS_OK);
    return rig;
}

static enum status keep_times(void *context, const struct db_row *row)
{
    ((struct rig *)context)->times[db_row_int(row, 0)] = (int)db_row_int(row, 1);
    return STATUS_OK;
}

/* Closes the writer and reads the table. */
static void close_writer(struct rig *rig)
{
    struct db *db = NULL;
    writer_close(rig->writer);
    assert_int_equal(db_open(rig->database.url, DB_READ_ONLY, &db, NULL), STATUS_OK);
    assert_int_equal(db_run(db, &select_all, NULL, keep_times, rig, NULL), STATUS_OK);
    db_close(db);
}

static void free_rig(struct rig *rig)
{
    test_database_destroy(&rig->database);
    db_params_destroy(rig->params);
    free(rig);
}

static struct test_command command_of(struct rig *rig, int64_t id, enum writer_class class)
{
    return (struct test_command){.head = {.class = class, .complete = complete}, .id = id, .rig = rig};
}

/* Blocks the writer in the apply of `gate` until open_gate is called. */
static void close_gate(struct rig *rig, struct test_command *gate)
{
    *gate = command_of(rig, GATE_ID, WRITER_EVENT);
    writer_submit(rig->writer, &gate->head);
    assert_true(test_signal_await(&rig->at_gate, 1));
}

static void open_gate(struct rig *rig)
{
    test_signal_raise(&rig->gate_open);
}

static void assert_order(const struct rig *rig, const int64_t *ids, size_t count)
{
    assert_int_equal(rig->applied, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(rig->order[i], ids[i]);
}

static void request(struct rig *rig, struct test_command *command)
{
    assert_int_equal(writer_submit_request(rig->writer, &command->head, NULL), STATUS_OK);
}

/* ---- order and batches ---- */

static void test_writer_mixed_classes_are_applied_settles_events_requests(void **state)
{
    static const int64_t expected[] = {GATE_ID, 3, 5, 2, 6, 1, 4};
    struct rig *rig = open_rig(&(struct writer_options){0});
    static const enum writer_class classes[] = {WRITER_EVENT,   WRITER_REQUEST, WRITER_EVENT, WRITER_SETTLE,
                                                WRITER_REQUEST, WRITER_SETTLE,  WRITER_EVENT};
    struct test_command commands[7], gate;
    (void)state;
    close_gate(rig, &gate);
    for (int i = 1; i < 7; i++) {
        commands[i] = command_of(rig, i, classes[i]);
        if (classes[i] == WRITER_REQUEST)
            request(rig, &commands[i]);
        else
            writer_submit(rig->writer, &commands[i].head);
    }
    open_gate(rig);
    close_writer(rig);
    assert_order(rig, expected, 7);
    assert_int_equal(rig->batches, 2);
    assert_int_equal(rig->published, 2);
    for (int i = 1; i < 7; i++)
        assert_int_equal(rig->times[i], 1);
    free_rig(rig);
}

static void test_writer_more_than_batch_max_waiting_goes_in_several_batches(void **state)
{
    static const int64_t expected[] = {GATE_ID, 10, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    struct rig *rig = open_rig(&(struct writer_options){.batch_max = 4});
    struct test_command commands[11], gate;
    (void)state;
    close_gate(rig, &gate);
    for (int i = 1; i < 10; i++) {
        commands[i] = command_of(rig, i, WRITER_REQUEST);
        request(rig, &commands[i]);
    }
    commands[10] = command_of(rig, 10, WRITER_SETTLE);
    writer_submit(rig->writer, &commands[10].head);
    open_gate(rig);
    close_writer(rig);
    assert_order(rig, expected, 11);
    assert_int_equal(rig->batches, 4);
    assert_int_equal(rig->batch_sizes[1], 4);
    assert_int_equal(rig->batch_sizes[2], 4);
    assert_int_equal(rig->batch_sizes[3], 2);
    free_rig(rig);
}

static void test_writer_submit_all_is_one_batch_in_order(void **state)
{
    static const int64_t expected[] = {GATE_ID, 1, 2, 3};
    struct rig *rig = open_rig(&(struct writer_options){0});
    struct test_command commands[4], gate;
    (void)state;
    close_gate(rig, &gate);
    struct queue queue = {0};
    for (int i = 1; i <= 3; i++) {
        commands[i] = command_of(rig, i, WRITER_EVENT);
        queue_put(&queue, &commands[i].head.item.node);
    }
    writer_submit_all(rig->writer, queue);
    open_gate(rig);
    close_writer(rig);
    assert_order(rig, expected, 4);
    assert_int_equal(rig->batches, 2);
    free_rig(rig);
}

static void test_writer_idle_applies_at_once(void **state)
{
    struct rig *rig = open_rig(&(struct writer_options){0});
    struct test_command commands[3];
    (void)state;
    for (int i = 0; i < 3; i++) {
        commands[i] = command_of(rig, i + 1, WRITER_REQUEST);
        request(rig, &commands[i]);
        assert_true(test_signal_await(&rig->completed, (size_t)i + 1));
        assert_int_equal(commands[i].head.outcome.status, STATUS_OK);
    }
    assert_null(writer_database_trouble(rig->writer));
    close_writer(rig);
    assert_int_equal(rig->batches, 3);
    free_rig(rig);
}

/* ---- places ---- */

static void test_writer_all_places_taken_refuses_requests_only(void **state)
{
    struct rig *rig = open_rig(&(struct writer_options){.queue_max = 2});
    struct test_command commands[6], gate;
    struct error error = {0};
    int64_t overloaded = metric_get(&writer_metrics.overloaded);
    int64_t depth = metric_get(&writer_metrics.queue_depth);
    (void)state;
    close_gate(rig, &gate);
    for (int i = 1; i < 6; i++)
        commands[i] = command_of(rig, i, i < 4 ? WRITER_REQUEST : i == 4 ? WRITER_SETTLE : WRITER_EVENT);
    request(rig, &commands[1]);
    request(rig, &commands[2]);
    assert_int_equal(writer_submit_request(rig->writer, &commands[3].head, &error),
                     STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(error.status, STATUS_RESOURCE_EXHAUSTED);
    assert_string_equal(error.reason, "OVERLOADED");
    assert_true(error.retry_after_ms > 0);
    writer_submit(rig->writer, &commands[4].head);
    writer_submit(rig->writer, &commands[5].head);
    assert_int_equal(metric_get(&writer_metrics.overloaded), overloaded + 1);
    assert_int_equal(metric_get(&writer_metrics.queue_depth), depth + 4);
    open_gate(rig);
    close_writer(rig);
    assert_int_equal(metric_get(&writer_metrics.queue_depth), depth);
    assert_int_equal(rig->times[3], 0);
    assert_int_equal(rig->applied, 5);
    free_rig(rig);
}

static void test_writer_place_is_free_when_complete_is_called(void **state)
{
    struct rig *rig = open_rig(&(struct writer_options){.queue_max = 1});
    struct test_command first = command_of(rig, 1, WRITER_REQUEST);
    struct test_command second = command_of(rig, 2, WRITER_REQUEST);
    (void)state;
    first.then_submit = &second;
    request(rig, &first);
    assert_true(test_signal_await(&rig->completed, 2));
    close_writer(rig);
    assert_int_equal(first.then_status, STATUS_OK);
    assert_int_equal(rig->times[2], 1);
    free_rig(rig);
}

static void test_writer_kept_place_is_taken_until_released(void **state)
{
    struct rig *rig = open_rig(&(struct writer_options){.queue_max = 1});
    struct test_command first = command_of(rig, 1, WRITER_REQUEST);
    struct test_command second = command_of(rig, 2, WRITER_REQUEST);
    struct test_command settle = command_of(rig, 3, WRITER_SETTLE);
    (void)state;
    first.head.keeps_place = true;
    first.then_submit = &settle; /* a settle neither takes nor releases a place */
    request(rig, &first);
    assert_true(test_signal_await(&rig->completed, 2));
    assert_int_equal(writer_submit_request(rig->writer, &second.head, NULL), STATUS_RESOURCE_EXHAUSTED);
    writer_release_place(rig->writer, 0);
    request(rig, &second);
    close_writer(rig);
    assert_int_equal(rig->times[2], 1);
    assert_int_equal(rig->times[3], 1);
    free_rig(rig);
}

/* ---- failures ---- */

static void test_writer_deadline_spent_in_the_queue_applies_nothing(void **state)
{
    struct rig *rig = open_rig(&(struct writer_options){.queue_max = 2});
    struct test_command late = command_of(rig, 1, WRITER_REQUEST), gate, good;
    (void)state;
    late.head.deadline_ns = clock_monotonic_ns() + NS_PER_MS;
    close_gate(rig, &gate);
    request(rig, &late);
    good = command_of(rig, 2, WRITER_REQUEST);
    request(rig, &good);
    while (clock_monotonic_ns() <= late.head.deadline_ns)
        sched_yield();
    open_gate(rig);
    close_writer(rig);
    assert_int_equal(late.head.outcome.status, STATUS_DEADLINE_EXCEEDED);
    assert_int_equal(rig->times[1], 0);
    assert_int_equal(good.head.outcome.status, STATUS_OK);
    assert_int_equal(rig->times[2], 1);
    free_rig(rig);
}

static void test_writer_poison_in_full_batch_fails_alone(void **state)
{
    enum { FULL = 512, FIRST_ID = POISON_ID - 200 };
    struct rig *rig = open_rig(&(struct writer_options){0});
    static struct test_command commands[FULL];
    struct test_command gate;
    (void)state;
    close_gate(rig, &gate);
    for (int i = 0; i < FULL; i++) {
        commands[i] = command_of(rig, FIRST_ID + i, WRITER_REQUEST);
        request(rig, &commands[i]);
    }
    open_gate(rig);
    close_writer(rig);
    assert_int_equal(rig->batch_sizes[1], FULL);
    assert_int_equal(rig->batches, 2 + FULL);
    for (int i = 0; i < FULL; i++) {
        bool poison = FIRST_ID + i == POISON_ID;
        assert_int_equal(commands[i].head.outcome.status, poison ? STATUS_INTERNAL : STATUS_OK);
        assert_int_equal(rig->times[FIRST_ID + i], poison ? 0 : 1);
    }
    assert_int_equal(rig->completed.count, FULL + 1);
    assert_int_equal(rig->published, FULL);
    free_rig(rig);
}

/* ---- closing, threads ---- */

static void test_writer_close_applies_what_completions_submit(void **state)
{
    struct rig *rig = open_rig(&(struct writer_options){0});
    struct test_command commands[4], gate;
    (void)state;
    close_gate(rig, &gate);
    for (int i = 1; i < 4; i++) {
        commands[i] = command_of(rig, i, WRITER_SETTLE);
        commands[i].then_submit = i < 3 ? &commands[i + 1] : NULL;
    }
    writer_submit(rig->writer, &commands[1].head);
    open_gate(rig);
    close_writer(rig);
    assert_int_equal(rig->completed.count, 4);
    for (int i = 1; i < 4; i++)
        assert_int_equal(rig->times[i], 1);
    free_rig(rig);
}

static void test_writer_close_without_commands_ends(void **state)
{
    struct rig *rig = open_rig(&(struct writer_options){0});
    (void)state;
    close_writer(rig);
    assert_int_equal(rig->batches, 0);
    free_rig(rig);
    writer_close(NULL);
}

enum { SUBMITTERS = 8, PER_SUBMITTER = 1000, CROWD_FIRST_ID = 1000 };

struct submitter {
    pthread_t thread;
    struct rig *rig;
    struct test_command commands[PER_SUBMITTER];
    int64_t first_id;
    size_t refused;
};

/*
 * Submits the commands, and resubmits refused requests. Every fourth command is an event. About every fifth
 * request keeps its place until its `complete` releases it.
 */
static void *submit_many(void *argument)
{
    struct submitter *self = argument;
    for (int i = 0; i < PER_SUBMITTER; i++) {
        struct test_command *command = &self->commands[i];
        *command = command_of(self->rig, self->first_id + i, i % 4 == 0 ? WRITER_EVENT : WRITER_REQUEST);
        if (i % 4 == 0) {
            writer_submit(self->rig->writer, &command->head);
            continue;
        }
        command->head.keeps_place = command->releases_place = i % 5 == 0;
        while (writer_submit_request(self->rig->writer, &command->head, NULL) != STATUS_OK) {
            self->refused++;
            sched_yield();
        }
    }
    return NULL;
}

static void test_writer_many_threads_apply_everything_once(void **state)
{
    static struct submitter submitters[SUBMITTERS];
    struct rig *rig = open_rig(&(struct writer_options){.queue_max = 64});
    int64_t depth = metric_get(&writer_metrics.queue_depth);
    size_t all = (size_t)SUBMITTERS * PER_SUBMITTER;
    (void)state;
    for (int i = 0; i < SUBMITTERS; i++) {
        submitters[i].rig = rig;
        submitters[i].first_id = CROWD_FIRST_ID + (int64_t)i * PER_SUBMITTER;
        assert_int_equal(pthread_create(&submitters[i].thread, NULL, submit_many, &submitters[i]), 0);
    }
    for (int i = 0; i < SUBMITTERS; i++)
        assert_int_equal(pthread_join(submitters[i].thread, NULL), 0);
    close_writer(rig);
    assert_int_equal(rig->completed.count, all);
    assert_int_equal(rig->published, rig->batches);
    for (size_t i = 0; i < all; i++) {
        assert_int_equal(rig->times[CROWD_FIRST_ID + i], 1);
        assert_int_equal(submitters[i / PER_SUBMITTER].commands[i % PER_SUBMITTER].head.outcome.status,
                         STATUS_OK);
    }
    assert_int_equal(metric_get(&writer_metrics.queue_depth), depth);
    free_rig(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writer_mixed_classes_are_applied_settles_events_requests),
        cmocka_unit_test(test_writer_more_than_batch_max_waiting_goes_in_several_batches),
        cmocka_unit_test(test_writer_submit_all_is_one_batch_in_order),
        cmocka_unit_test(test_writer_idle_applies_at_once),
        cmocka_unit_test(test_writer_all_places_taken_refuses_requests_only),
        cmocka_unit_test(test_writer_place_is_free_when_complete_is_called),
        cmocka_unit_test(test_writer_kept_place_is_taken_until_released),
        cmocka_unit_test(test_writer_deadline_spent_in_the_queue_applies_nothing),
        cmocka_unit_test(test_writer_poison_in_full_batch_fails_alone),
        cmocka_unit_test(test_writer_close_applies_what_completions_submit),
        cmocka_unit_test(test_writer_close_without_commands_ends),
        cmocka_unit_test(test_writer_many_threads_apply_everything_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
