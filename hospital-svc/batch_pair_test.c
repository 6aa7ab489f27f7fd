/* Tests batches in an unpaired era, and the batch that pairs it. */
#include "batch_testing.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

static const struct db_statement LIVE = {
    .name = "test_live",
    .sql = "SELECT count(*) FROM reservation WHERE state = 1",
};
static const struct db_statement RESERVED = {
    .name = "test_reserved",
    .sql = "SELECT reserved FROM screening_day",
};
static const struct db_statement DELETED_EVENTS = {
    .name = "test_deleted_events",
    .sql = "SELECT count(*) FROM event_log WHERE type = 'hospital.deleted'",
};
static const struct db_statement FOUND = {
    .name = "test_found",
    .sql = "SELECT reinstated FROM recovery",
};
static const struct db_statement LOST_FROM = {
    .name = "test_lost_from",
    .sql = "SELECT lost_from FROM recovery",
};
static const struct db_statement LOST_TO = {
    .name = "test_lost_to",
    .sql = "SELECT lost_to FROM recovery",
};

/* Simulates a new process: drops the state in memory, so that the next batch begins an era. */
static void start_again(struct stage *stage)
{
    batch_destroy(stage->batch);
    event_log_destroy(stage->log);
    stage->log = event_log_create(NULL);
    stage->batch = batch_create(stage->log);
    assert_non_null(stage->batch);
}

static struct pair_look look_at(struct stage *stage)
{
    struct pair_look look = {.forget_booking_log = false};
    stage_add(stage, COMMAND_LOOK)->wanted.look = &look;
    stage_run(stage);
    return look;
}

static struct reserve request_of(uint8_t booking)
{
    return (struct reserve){
        .booking_id = {{booking}}, .hospital_id = STAGE_HOSPITAL_ID, .date = stage_today, .headcount = 1};
}

static enum status pair_with(struct stage *stage, struct pair_done *done)
{
    struct command *command = stage_add(stage, COMMAND_PAIR);
    command->wanted.pair = done;
    stage_run(stage);
    return command->writer.outcome.status;
}

static void make_event_of_era(struct sent_event *sent, uint64_t seq, const char *type, uint8_t booking,
                              int64_t era)
{
    stage_make_event(sent, seq, type, booking);
    sent->booking.headcount = 1;
    sent->chunk.era = era;
    sent->chunk.from_era = seq > 1 ? era : 0; /* 0, because there is no cursor yet */
}

/* Applies one event of the booking log in a batch of its own. */
static void apply_event_of_era(struct stage *stage, uint64_t seq, const char *type, uint8_t booking,
                               int64_t era)
{
    struct sent_event sent;
    make_event_of_era(&sent, seq, type, booking, era);
    stage_add_event(stage, &sent);
    stage_run(stage);
}

static void apply_event(struct stage *stage, uint64_t seq, const char *type, uint8_t booking)
{
    apply_event_of_era(stage, seq, type, booking, 0);
}

static void test_unpaired_era_grants_nothing_and_says_when_to_ask_again(void **state)
{
    struct stage stage;
    stage_open(&stage, state);
    stage_add_registration(&stage, 3);
    stage_add_reserves(&stage, 10, 1);
    stage_run(&stage);
    start_again(&stage);
    for (uint8_t booking = 10; booking < 12; booking++) { /* including a repeat of an earlier grant */
        stage_add_reserves(&stage, booking, 1);
        struct command *reserve = &stage.commands[0];
        stage_run(&stage);
        assert_int_equal(reserve->writer.outcome.status, STATUS_UNAVAILABLE);
        assert_string_equal(reserve->writer.outcome.reason, "RECOVERING");
        assert_int_equal(reserve->writer.outcome.retry_after_ms, 100);
    }
    assert_int_equal(stage_number(&stage, &LIVE), 1);
    stage_close(&stage);
}

static void test_reserve_with_eras_that_differ_is_not_executed(void **state)
{
    struct stage stage;
    stage_open(&stage, state);
    stage_add_registration(&stage, 9);
    stage_run(&stage);
    const int64_t era = look_at(&stage).era.id;
    const struct {
        int64_t booking_era, hospital_era;
        bool executed;
    } cases[] = {{0, 0, true},
                 {STAGE_BOOKING_ERA, era, true},
                 {STAGE_BOOKING_ERA, 0, true},
                 {STAGE_BOOKING_ERA + 1, era, false},
                 {STAGE_BOOKING_ERA, era ^ 1, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stage_add_reserves(&stage, (uint8_t)(10 + i), 1);
        struct command *reserve = &stage.commands[0];
        reserve->wanted.reserve.booking_era = cases[i].booking_era;
        reserve->wanted.reserve.hospital_era = cases[i].hospital_era;
        stage_run(&stage);
        assert_int_equal(reserve->writer.outcome.status, cases[i].executed ? STATUS_OK : STATUS_UNAVAILABLE);
        if (cases[i].executed)
            assert_int_equal(reserve->wanted.reserve.era, era);
    }
    assert_int_equal(stage_number(&stage, &LIVE), 3);
    stage_close(&stage);
}

static void test_confirmed_takes_its_place_only_while_unpaired(void **state)
{
    struct stage stage;
    stage_open(&stage, state);
    stage_add_registration(&stage, 2);
    stage_run(&stage);
    apply_event(&stage, 1, "booking.confirmed", 20);
    assert_int_equal(stage_number(&stage, &LIVE), 0);
    start_again(&stage);
    for (uint8_t i = 0; i < 3; i++) /* beyond the capacity */
        apply_event(&stage, 2u + i, "booking.confirmed", (uint8_t)(30 + i));
    assert_int_equal(stage_number(&stage, &LIVE), 3);
    assert_int_equal(stage_number(&stage, &RESERVED), 3);
    apply_event(&stage, 5, "booking.cancelled", 31);
    apply_event(&stage, 6, "booking.cancelled", 40);
    apply_event(&stage, 7, "booking.confirmed",
                40); /* replaces a tombstone, which does not prove that the database reverted */
    assert_int_equal(stage_number(&stage, &RESERVED), 3);
    assert_int_equal(stage_number(&stage, &FOUND), 3);
    stage_close(&stage);
}

static void test_look_returns_what_was_applied_and_where_the_era_began(void **state)
{
    struct stage stage;
    stage_open(&stage, state);
    stage_add_registration(&stage, 2);
    stage_run(&stage);
    apply_event(&stage, 1, "booking.cancelled", 20);
    apply_event(&stage, 2, "booking.cancelled", 21);
    struct pair_look look = look_at(&stage);
    const struct uuid second = {{2, 9}};
    assert_int_equal(look.applied.seq, 2);
    assert_true(uuid_equal(&look.applied.event_id, &second));
    assert_true(look.era.paired);
    assert_int_equal(look.since.seq, 0); /* the era is paired */
    start_again(&stage);
    stage_add_capacity(&stage, stage_today, 5);
    stage_run(&stage);
    look = look_at(&stage);
    assert_false(look.era.paired);
    assert_int_equal(look.since.seq, 1);
    assert_false(uuid_is_zero(&look.since.event_id));
    stage_close(&stage);
}

static void test_pair_grants_what_was_under_way_then_deletes_again(void **state)
{
    struct stage stage;
    stage_open(&stage, state);
    stage_add_registration(&stage, 2);
    stage_add_reserves(&stage, 10, 1);
    stage_run(&stage);
    start_again(&stage);
    const struct reserve requested[] = {request_of(10), request_of(11), request_of(12)};
    const struct uuid deleted[] = {STAGE_HOSPITAL_ID, {{99}}};
    struct pair_done done = {.era = look_at(&stage).era.id + 1,
                             .peer = STAGE_BOOKING_ERA,
                             .booking_era = 5,
                             .requested = requested,
                             .requested_count = 3,
                             .deleted = deleted,
                             .deleted_count = 2,
                             .told = {.seq = 4, .event_id = {{1}}},
                             .furthest = {.seq = 4, .event_id = {{1}}},
                             .set_back = true};
    assert_int_equal(pair_with(&stage, &done), STATUS_ABORTED); /* another era */
    done.era--;
    done.head_seq = 1;
    done.booking_log_id = (struct uuid){{3}};
    assert_int_equal(pair_with(&stage, &done), STATUS_UNAVAILABLE); /* head_seq is not applied yet */
    assert_int_equal(stage_number(&stage, &LIVE), 1);
    done.head_seq = 0;
    assert_int_equal(pair_with(&stage, &done), STATUS_OK);
    assert_int_equal(done.granted, 1); /* one was already live, and one exceeds the capacity */
    assert_int_equal(done.deleted_again, 1);
    assert_int_equal(stage_number(&stage, &RESERVED), 2);
    assert_int_equal(stage_number(&stage, &DELETED_EVENTS), 1);
    assert_int_equal(stage_number(&stage, &LOST_FROM), 2);
    assert_int_equal(stage_number(&stage, &LOST_TO), 4);
    const struct pair_look look = look_at(&stage);
    assert_true(look.era.paired);
    assert_int_equal(look.era.peer, 5);
    assert_int_equal(pair_with(&stage, &done), STATUS_OK); /* as if another replica had paired */
    assert_int_equal(done.granted + done.deleted_again, 0);
    stage_close(&stage);
}

/* Opens the stage and applies event 1 of the booking log, which is of era `era` and confirms booking 20. */
static void open_with_booking(struct stage *stage, void **state, int64_t era)
{
    stage_open(stage, state);
    stage_add_registration(stage, 2);
    stage_add_reserves(stage, 20, 1);
    stage_run(stage);
    apply_event_of_era(stage, 1, "booking.confirmed", 20, era);
}

/* During the Pair call, the booking log loses its tail, but events of that tail are still applied. */
static void test_pair_with_an_event_of_another_era_applied_meanwhile_looks_again(void **state)
{
    enum { LOST_ERA = 4, ERA = 5 };
    struct stage stage;
    open_with_booking(&stage, state, LOST_ERA);
    start_again(&stage);
    struct pair_look look = look_at(&stage);
    struct pair_done done = {.era = look.era.id,
                             .peer = look.era.peer,
                             .booking_era = ERA,
                             .booking_log_id = look.applied.log_id,
                             .head_seq = 1,
                             .checked = look.applied};
    struct sent_event lost;
    apply_event_of_era(&stage, 2, "booking.cancelled", 20, LOST_ERA);
    assert_int_equal(pair_with(&stage, &done), STATUS_UNAVAILABLE);
    assert_false(look_at(&stage).era.paired);
    done.head_seq = 2; /* the log now has a different event at seq 2 */
    done.head_event_id = (struct uuid){{1}};
    assert_int_equal(pair_with(&stage, &done), STATUS_UNAVAILABLE);
    done.checked = look_at(&stage).applied; /* after another call; booking-svc has this event */
    make_event_of_era(&lost, 3, "booking.cancelled", 21, LOST_ERA);
    stage_add_event(&stage, &lost); /* another lost event is applied in the same batch */
    assert_int_equal(pair_with(&stage, &done), STATUS_UNAVAILABLE);
    done.checked = look_at(&stage).applied;
    assert_int_equal(done.checked.seq, 3);
    make_event_of_era(&lost, 4, "booking.cancelled", 22, ERA);
    lost.chunk.from_era = LOST_ERA; /* the event was fetched, so the log contains the events before it */
    stage_add_event(&stage, &lost);
    assert_int_equal(pair_with(&stage, &done), STATUS_OK);
    look = look_at(&stage);
    assert_int_equal(look.applied.seq, 4);
    assert_int_equal(look.applied.era, ERA);
    assert_int_equal(look.era.peer, ERA);
    stage_close(&stage);
}

/* booking-svc has answered with its era, but a chunk of the previous era is still in flight. */
static void test_pair_leaves_what_comes_of_another_era_later(void **state)
{
    enum { LOST_ERA = 4, ERA = 5 };
    struct stage stage;
    open_with_booking(&stage, state, LOST_ERA);
    struct pair_look look = look_at(&stage);
    struct pair_done done = {.era = look.era.id,
                             .peer = look.era.peer,
                             .booking_era = ERA,
                             .booking_log_id = look.applied.log_id,
                             .head_seq = 1,
                             .checked = look.applied};
    assert_int_equal(pair_with(&stage, &done), STATUS_OK);
    struct sent_event lost;
    make_event_of_era(&lost, 2, "booking.cancelled", 20, LOST_ERA);
    stage_add_event(&stage, &lost);
    stage_run(&stage);
    assert_int_equal(lost.chunk.writer.outcome.status, STATUS_ABORTED);
    assert_int_equal(stage_number(&stage, &LIVE), 1);
    assert_int_equal(look_at(&stage).applied.seq, 1);
    apply_event_of_era(&stage, 2, "booking.cancelled", 20, ERA);
    assert_int_equal(stage_number(&stage, &LIVE), 0);
    stage_close(&stage);
}

/* This replica gets its answer and stalls. Then booking-svc's database reverts, and another replica pairs. */
static void test_pair_after_that_of_another_replica_with_a_later_era_looks_again(void **state)
{
    enum { FIRST_ERA = 4, LOST_ERA = 5, ERA = 6 };
    struct stage stage;
    open_with_booking(&stage, state, FIRST_ERA);
    struct pair_look look = look_at(&stage); /* the state that both replicas read */
    struct pair_done late = {.era = look.era.id,
                             .peer = look.era.peer,
                             .booking_era = LOST_ERA,
                             .booking_log_id = look.applied.log_id,
                             .head_seq = 1,
                             .head_event_id = look.applied.event_id,
                             .checked = look.applied};
    struct pair_done other = late;
    other.booking_era = ERA;
    assert_int_equal(pair_with(&stage, &other), STATUS_OK);
    assert_int_equal(pair_with(&stage, &late), STATUS_ABORTED);
    assert_int_equal(look_at(&stage).era.peer, ERA);
    struct sent_event lost;
    make_event_of_era(&lost, 2, "booking.cancelled", 20, LOST_ERA);
    stage_add_event(&stage, &lost);
    stage_run(&stage);
    assert_int_equal(lost.chunk.writer.outcome.status, STATUS_ABORTED);
    assert_int_equal(stage_number(&stage, &LIVE), 1);
    assert_int_equal(pair_with(&stage, &other), STATUS_OK); /* both answers are of the same era */
    stage_close(&stage);
}

/*
 * The usual case: booking-svc begins a new era when it receives the pairing call, and hospital-svc has
 * already applied all events of the earlier era.
 */
static void test_pair_at_the_head_does_not_ask_for_its_era(void **state)
{
    struct stage stage;
    stage_open(&stage, state);
    stage_add_registration(&stage, 2);
    stage_run(&stage);
    start_again(&stage);
    struct pair_look look = look_at(&stage);
    struct pair_done done = {.era = look.era.id,
                             .peer = look.era.peer,
                             .booking_era = 5,
                             .head_seq = 2,
                             .head_event_id = {{2, 9}},
                             .checked = look.applied};
    apply_event_of_era(&stage, 1, "booking.confirmed", 20, 4);
    apply_event_of_era(&stage, 2, "booking.confirmed", 21, 4);
    look = look_at(&stage);
    done.booking_log_id = look.applied.log_id;
    assert_int_equal(pair_with(&stage, &done), STATUS_OK);
    assert_int_equal(look_at(&stage).applied.era, 5);
    stage_close(&stage);
}

static void test_pair_with_an_event_that_was_never_here_asks_to_begin_at_the_start(void **state)
{
    struct stage stage;
    stage_open(&stage, state);
    stage_add_registration(&stage, 2);
    stage_add_capacity(&stage, stage_today, 3);
    stage_run(&stage);
    start_again(&stage);
    struct pair_look look = look_at(&stage);
    assert_int_equal(look.since.seq, 2);
    struct pair_done done = {.era = look.era.id,
                             .peer = look.era.peer,
                             .booking_era = 5,
                             .checked = look.applied,
                             .told = {.seq = 1, .event_id = {{1}}}};
    assert_int_equal(pair_with(&stage, &done), STATUS_ABORTED);
    assert_true(done.from_start);
    assert_false(look_at(&stage).era.paired);
    done.set_back = true;
    assert_int_equal(pair_with(&stage, &done), STATUS_OK);
    assert_false(done.from_start);
    assert_int_equal(stage_number(&stage, &LOST_TO), 0); /* the lost range is unknown */
    stage_close(&stage);
}

static const struct db_statement LOSE_ONE_COMMIT = {
    .name = "test_lose_one_commit",
    .sql = "UPDATE commit_counter SET commit_no = commit_no - 1",
};

static void test_losing_exactly_the_last_commit_begins_an_era(void **state)
{
    struct stage stage;
    struct error error = {0};
    stage_open(&stage, state);
    stage_add_registration(&stage, 3);
    stage_run(&stage);
    stage_add_reserves(&stage, 10, 1);
    stage_run(&stage);
    assert_true(look_at(&stage).era.paired);
    stage_add_reserves(&stage, 11, 1);
    stage_run(&stage);
    fixture_expect(db_run(stage.db, &LOSE_ONE_COMMIT, NULL, NULL, NULL, &error), STATUS_OK, &error);
    assert_false(look_at(&stage).era.paired);
    stage_close(&stage);
}

/* ---- another replica that commits while this one waits for the head ---- */

static const struct db_statement LOCK_HEAD = {
    .name = "test_lock_head",
    .sql = "SELECT head_seq FROM event_log_head FOR UPDATE",
};
static const struct db_statement COUNT_COMMIT = {
    .name = "test_count_commit",
    .sql = "UPDATE commit_counter SET commit_no = commit_no + 1",
};
static const struct db_statement WAITING = {
    .name = "test_waiting",
    .sql =
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))",
};

static enum status take_number(void *context, const struct db_row *row)
{
    *(int64_t *)context = db_row_int(row, 0);
    return STATUS_OK;
}

/*
 * Commits the other replica's transaction once a session waits for it. Returns NULL if no session waits
 * within DEADLINE_S or the commit fails.
 */
static void *commit_when_waited_for(void *context)
{
    enum { DEADLINE_S = 60 };
    struct db *db = context;
    struct error error = {0};
    int64_t until_ns = clock_monotonic_ns() + DEADLINE_S * (int64_t)NS_PER_S;
    int64_t waiting = 0;
    while (waiting == 0 && clock_monotonic_ns() < until_ns &&
           db_run(db, &WAITING, NULL, take_number, &waiting, &error) == STATUS_OK)
        nanosleep(&(struct timespec){.tv_nsec = NS_PER_MS}, NULL);
    return db_commit(db, &error) == STATUS_OK && waiting > 0 ? db : NULL;
}

static void test_losing_the_last_commit_begins_an_era_also_if_it_waited_for_another_replica(void **state)
{
    struct stage stage;
    struct error error = {0};
    pthread_t thread;
    void *was_waited_for;
    stage_open(&stage, state);
    stage_add_registration(&stage, 3);
    stage_run(&stage);
    struct db *other = fixture_connect(stage.fixture, DB_READ_WRITE);
    int64_t head_seq;
    fixture_expect(db_begin(other, &error), STATUS_OK, &error);
    fixture_expect(db_run(other, &LOCK_HEAD, NULL, take_number, &head_seq, &error), STATUS_OK, &error);
    fixture_expect(db_run(other, &COUNT_COMMIT, NULL, NULL, NULL, &error), STATUS_OK, &error);
    assert_int_equal(pthread_create(&thread, NULL, commit_when_waited_for, other), 0);
    stage_add_reserves(&stage, 10, 1);
    stage_run(&stage);
    assert_int_equal(pthread_join(thread, &was_waited_for), 0);
    assert_non_null(was_waited_for);
    db_close(other);
    assert_true(event_log_era(stage.log)->paired);
    fixture_expect(db_run(stage.db, &LOSE_ONE_COMMIT, NULL, NULL, NULL, &error), STATUS_OK, &error);
    assert_false(look_at(&stage).era.paired);
    stage_close(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_unpaired_era_grants_nothing_and_says_when_to_ask_again),
        TEST_BOTH(test_reserve_with_eras_that_differ_is_not_executed),
        TEST_BOTH(test_confirmed_takes_its_place_only_while_unpaired),
        TEST_BOTH(test_look_returns_what_was_applied_and_where_the_era_began),
        TEST_BOTH(test_pair_grants_what_was_under_way_then_deletes_again),
        TEST_BOTH(test_pair_with_an_event_of_another_era_applied_meanwhile_looks_again),
        TEST_BOTH(test_pair_leaves_what_comes_of_another_era_later),
        TEST_BOTH(test_pair_after_that_of_another_replica_with_a_later_era_looks_again),
        TEST_BOTH(test_pair_at_the_head_does_not_ask_for_its_era),
        TEST_BOTH(test_pair_with_an_event_that_was_never_here_asks_to_begin_at_the_start),
        TEST_BOTH(test_losing_exactly_the_last_commit_begins_an_era),
        TEST_POSTGRESQL(test_losing_the_last_commit_begins_an_era_also_if_it_waited_for_another_replica),
    };
    stage_stop_clock();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
