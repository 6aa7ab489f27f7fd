/* Whole batches against real databases of both kinds: what is loaded, decided, saved and told. */
#include "batch.h"
#include "command.h"
#include "store.h"
#include "store_read.h"

#include <stdio.h>

#include "base/civil.h"
#include "base/clock.h"
#include "base/unit_test.h"
#include "db/db_fixture.h"
#include "events/subscriber.h"

#include "screening/v1/event.pb-c.h"

enum { COMMANDS_MAX = 16, ITEMS_MAX = 64 };

static const struct uuid HOSPITAL_ID = {{1}};
static const char LOG_ID[] = "01890000-0000-7000-8000-0000000000ff";

static const int64_t now_us = INT64_C(1796083200000000); /* 2026-12-01T00:00:00Z */
static int32_t today;

static int64_t stopped_clock(void)
{
    return now_us;
}

static const struct db_statement COUNT_RESERVATIONS = {
    .name = "test_count_reservations",
    .sql = "SELECT count(*) FROM reservation WHERE state = 1",
};
static const struct db_statement COUNT_TOMBSTONES = {
    .name = "test_count_tombstones",
    .sql = "SELECT count(*) FROM reservation WHERE state = 3",
};
static const struct db_statement COUNT_ENDED = {
    .name = "test_count_ended",
    .sql = "SELECT count(*) FROM reservation WHERE state <> 1",
};
static const struct db_statement COUNT_EVENTS = {
    .name = "test_count_events",
    .sql = "SELECT count(*) FROM event_log",
};
static const struct db_statement READ_REMAINING = {
    .name = "test_read_remaining",
    .sql = "SELECT remaining FROM screening_day",
};
static const struct db_statement COUNT_DEAD_LETTERS = {
    .name = "test_count_dead_letters",
    .sql = "SELECT count(*) FROM dead_letter",
};
static const struct db_statement READ_EVENTS = {
    .name = "test_read_events",
    .sql = "SELECT event FROM event_log ORDER BY seq",
};

/* ---- a service without its surroundings ---- */

struct stage {
    struct fixture *fixture;
    struct db *db;
    struct event_log *log;
    struct batch *batch;
    struct arena arena; /* of the calls */
    struct command commands[COMMANDS_MAX];
    struct writer_command *queue[COMMANDS_MAX];
    size_t count;
};

static void open_stage(struct stage *stage, void **state)
{
    struct error error = {0};
    *stage = (struct stage){.fixture = fixture_of(state)};
    stage->db = stage->fixture->db;
    arena_init(&stage->arena);
    fixture_expect(events_migrate(stage->db, &error), STATUS_OK, &error);
    fixture_expect(db_migrate(stage->db, "hospital", HOSPITAL_MIGRATIONS, HOSPITAL_MIGRATION_COUNT, &error),
                   STATUS_OK, &error);
    stage->log = event_log_create(NULL);
    stage->batch = batch_create(stage->log);
    assert_non_null(stage->batch);
}

static void close_stage(struct stage *stage)
{
    batch_destroy(stage->batch);
    event_log_destroy(stage->log);
    arena_fini(&stage->arena);
}

static struct command *add(struct stage *stage, enum command_kind kind)
{
    struct command *command = &stage->commands[stage->count];
    *command = (struct command){.kind = kind, .arena = &stage->arena, .traceparent = ""};
    command->base.class = WRITER_REQUEST;
    stage->queue[stage->count++] = &command->base;
    return command;
}

static enum status apply(struct stage *stage, struct error *error)
{
    const struct writer_ops ops = batch_ops(stage->batch);
    fixture_expect(db_begin(stage->db, error), STATUS_OK, error);
    for (size_t i = 0; i < stage->count; i++) {
        error_clear(&stage->queue[i]->outcome);
    }
    return ops.apply(ops.context, stage->db, stage->queue, stage->count, error);
}

/* Applies and commits what was added. */
static void run(struct stage *stage)
{
    const struct writer_ops ops = batch_ops(stage->batch);
    struct error error = {0};
    fixture_expect(apply(stage, &error), STATUS_OK, &error);
    fixture_expect(db_commit(stage->db, &error), STATUS_OK, &error);
    ops.committed(ops.context);
    stage->count = 0;
}

static int64_t number(struct stage *stage, const struct db_statement *statement)
{
    return fixture_number(stage->db, statement);
}

/* ---- commands ---- */

static struct command *add_registration(struct stage *stage, uint32_t capacity)
{
    struct command *command = add(stage, COMMAND_REGISTER);
    struct day_wanted *day = arena_alloc(&stage->arena, sizeof *day);
    *day = (struct day_wanted){today, capacity};
    command->wanted.registration = (struct registration){.hospital_id = HOSPITAL_ID,
                                                         .name = "Namsan Clinic",
                                                         .address = "Seoul",
                                                         .content = {7},
                                                         .days = day,
                                                         .day_count = 1};
    return command;
}

static struct command *add_capacity(struct stage *stage, int32_t date, uint32_t capacity)
{
    struct command *command = add(stage, COMMAND_SET_CAPACITY);
    command->wanted.capacity =
        (struct capacity_wanted){.hospital_id = HOSPITAL_ID, .date = date, .capacity = capacity};
    return command;
}

static struct command *add_deletion(struct stage *stage)
{
    struct command *command = add(stage, COMMAND_DELETE);
    command->wanted.hospital_id = HOSPITAL_ID;
    return command;
}

/* Bookings first, first + 1, ...: one place each, of today. */
static struct reserve_item *add_reserves(struct stage *stage, uint8_t first, size_t count)
{
    struct command *command = add(stage, COMMAND_RESERVE);
    struct reserve_item *items = arena_alloc(&stage->arena, count * sizeof *items);
    for (size_t i = 0; i < count; i++) {
        items[i].wanted = (struct reserve){.booking_id = {{(uint8_t)(first + i)}},
                                           .hospital_id = HOSPITAL_ID,
                                           .date = today,
                                           .headcount = 1};
    }
    command->wanted.reserve.items = items;
    command->wanted.reserve.count = count;
    return items;
}

/* A chunk of the booking log with one event, about the booking of that number. */
struct told {
    struct event_chunk chunk;
    Screening__V1__Event event, *events;
    Screening__V1__Booking booking;
    char booking_id[UUID_TEXT_SIZE], hospital_id[UUID_TEXT_SIZE], event_id[UUID_TEXT_SIZE];
    char date[CIVIL_TEXT_SIZE];
};

static void tell(struct told *told, uint64_t seq, const char *type, uint8_t booking)
{
    const struct uuid booking_id = {{booking}}, event_id = {{(uint8_t)seq, 9}};
    *told = (struct told){.booking = SCREENING__V1__BOOKING__INIT, .event = SCREENING__V1__EVENT__INIT};
    told->booking.booking_id = uuid_format(&booking_id, told->booking_id);
    told->booking.hospital_id = uuid_format(&HOSPITAL_ID, told->hospital_id);
    told->booking.date = civil_format(today, told->date);
    told->event.seq = seq;
    told->event.event_id = uuid_format(&event_id, told->event_id);
    told->event.type = (char *)(uintptr_t)type;
    told->event.body_case = SCREENING__V1__EVENT__BODY_BOOKING;
    told->event.booking = &told->booking;
    told->events = &told->event;
    told->chunk =
        (struct event_chunk){.log = "booking", .log_id = LOG_ID, .events = &told->events, .count = 1};
    told->chunk.command.class = WRITER_EVENT;
}

static void add_told(struct stage *stage, struct told *told)
{
    stage->queue[stage->count++] = &told->chunk.command;
}

/* ---- tests ---- */

static void test_batch_later_commands_see_what_earlier_ones_left(void **state)
{
    struct stage stage;
    open_stage(&stage, state);
    struct command *registration = add_registration(&stage, 3);
    struct reserve_item *first = add_reserves(&stage, 10, 2);
    struct command *raised = add_capacity(&stage, today, 4);
    struct reserve_item *second = add_reserves(&stage, 12, 3);
    run(&stage);

    const Screening__V1__Hospital *hospital = (const void *)registration->answer;
    assert_int_equal(hospital->status, SCREENING__V1__HOSPITAL_STATUS__ACTIVE);
    assert_int_equal(hospital->n_days, 1);
    assert_int_equal(hospital->created_at->seconds, now_us / 1000000);
    const Screening__V1__ScreeningDay *day = (const void *)raised->answer;
    assert_int_equal(day->capacity, 4);
    assert_int_equal(day->remaining, 2);
    assert_int_equal(day->version, 2);
    static const enum reserve_outcome EXPECTED[] = {RESERVE_GRANTED, RESERVE_GRANTED, RESERVE_SOLD_OUT};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(first[i].outcome, RESERVE_GRANTED);
        assert_int_equal(first[i].remaining, 2 - i);
    }
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(second[i].outcome, EXPECTED[i]);
    }
    assert_int_equal(number(&stage, &READ_REMAINING), 0);
    assert_int_equal(number(&stage, &COUNT_RESERVATIONS), 4);
    close_stage(&stage);
}

static void test_batch_of_many_for_few_places_grants_exactly_these(void **state)
{
    struct stage stage;
    open_stage(&stage, state);
    add_registration(&stage, 20);
    run(&stage);
    struct reserve_item *items = add_reserves(&stage, 10, ITEMS_MAX);
    items[5].malformed = true;
    run(&stage);
    for (size_t i = 0; i < ITEMS_MAX; i++) {
        assert_int_equal(items[i].outcome, i == 5   ? RESERVE_MALFORMED
                                           : i < 21 ? RESERVE_GRANTED
                                                    : RESERVE_SOLD_OUT);
    }
    assert_int_equal(number(&stage, &READ_REMAINING), 0);
    assert_int_equal(number(&stage, &COUNT_RESERVATIONS), 20);
    assert_int_equal(number(&stage, &COUNT_ENDED), 0);
    close_stage(&stage);
}

static void test_batch_repeated_reserve_takes_nothing(void **state)
{
    struct stage stage;
    open_stage(&stage, state);
    add_registration(&stage, 20);
    struct reserve_item *first = add_reserves(&stage, 10, 1);
    struct reserve_item *same_batch = add_reserves(&stage, 10, 1);
    run(&stage);
    add_reserves(&stage, 11, 3);
    add_deletion(&stage);
    run(&stage);
    struct reserve_item *later = add_reserves(&stage, 10, 2);
    later[1].wanted.headcount = 2;
    struct reserve_item *fresh = add_reserves(&stage, 99, 1);
    run(&stage);
    assert_int_equal(first->outcome, RESERVE_GRANTED);
    assert_int_equal(same_batch->outcome, RESERVE_REPEATED);
    assert_int_equal(same_batch->remaining, 19);
    assert_int_equal(later[0].outcome, RESERVE_REPEATED);
    assert_int_equal(later[0].remaining, 16);
    assert_int_equal(later[1].outcome, RESERVE_OTHER_CONTENT);
    assert_int_equal(fresh->outcome, RESERVE_HOSPITAL_DELETED);
    assert_int_equal(number(&stage, &READ_REMAINING), 16);
    close_stage(&stage);
}

static void test_batch_repeated_registration_answers_as_it_is_now(void **state)
{
    struct stage stage;
    open_stage(&stage, state);
    add_registration(&stage, 3);
    struct command *same_batch = add_registration(&stage, 3);
    run(&stage);
    const Screening__V1__Hospital *hospital = (const void *)same_batch->answer;
    assert_string_equal(hospital->name, "Namsan Clinic");
    assert_int_equal(hospital->n_days, 1);
    add_capacity(&stage, today + 2, 9);
    add_capacity(&stage, today + 1, 8);
    add_deletion(&stage);
    run(&stage);
    struct command *later = add_registration(&stage, 3);
    struct command *other = add_registration(&stage, 3);
    other->wanted.registration.content[0] = 8;
    run(&stage);
    hospital = (const void *)later->answer;
    assert_int_equal(hospital->status, SCREENING__V1__HOSPITAL_STATUS__DELETED);
    assert_string_equal(hospital->name, "Namsan Clinic");
    assert_int_equal(hospital->n_days, 3);
    for (size_t i = 0; i < 3; i++) {
        char date[CIVIL_TEXT_SIZE];
        assert_string_equal(hospital->days[i]->date, civil_format(today + (int32_t)i, date));
    }
    assert_int_equal(other->base.outcome.status, STATUS_ALREADY_EXISTS);
    close_stage(&stage);
}

struct heard {
    struct arena arena;
    Screening__V1__Event *events[8];
    size_t count;
};

static enum status hear(void *context, const struct db_row *row)
{
    struct heard *heard = context;
    size_t size;
    const uint8_t *bytes = db_row_bytes(row, 0, &size);
    heard->events[heard->count++] = screening__v1__event__unpack(arena_allocator(&heard->arena), size, bytes);
    return STATUS_OK;
}

static void test_batch_tells_changes_and_nothing_else(void **state)
{
    struct stage stage;
    open_stage(&stage, state);
    add_registration(&stage, 3);
    add_registration(&stage, 3);
    add_capacity(&stage, today, 3);
    add_capacity(&stage, today, 5);
    add_reserves(&stage, 10, 1);
    add_deletion(&stage);
    add_deletion(&stage);
    add_capacity(&stage, today, 6);
    run(&stage);

    struct heard heard = {.count = 0};
    struct error error = {0};
    arena_init(&heard.arena);
    fixture_expect(db_run(stage.db, &READ_EVENTS, NULL, hear, &heard, &error), STATUS_OK, &error);
    assert_int_equal(heard.count, 3);
    assert_string_equal(heard.events[0]->type, "hospital.registered");
    assert_int_equal(heard.events[0]->hospital->n_days, 1);
    assert_int_equal(heard.events[0]->hospital->days[0]->capacity, 3);
    assert_string_equal(heard.events[1]->type, "hospital.capacity_set");
    assert_int_equal(heard.events[1]->day->day->capacity, 5);
    assert_int_equal(heard.events[1]->day->day->version, 2);
    assert_string_equal(heard.events[2]->type, "hospital.deleted");
    assert_int_equal(heard.events[2]->hospital->status, SCREENING__V1__HOSPITAL_STATUS__DELETED);
    assert_int_equal(heard.events[2]->occurred_at->seconds, now_us / 1000000);
    arena_fini(&heard.arena);
    close_stage(&stage);
}

static void test_batch_ended_booking_frees_its_place_once(void **state)
{
    struct stage stage;
    struct told cancelled, again, rejected;
    open_stage(&stage, state);
    add_registration(&stage, 3);
    add_reserves(&stage, 10, 2);
    run(&stage);
    tell(&cancelled, 1, "booking.cancelled", 10);
    add_told(&stage, &cancelled);
    run(&stage);
    assert_int_equal(number(&stage, &READ_REMAINING), 2);

    add_told(&stage, &cancelled); /* handed in again: the cursor is beyond it */
    run(&stage);
    tell(&again, 2, "booking.force_cancelled", 10);
    add_told(&stage, &again);
    run(&stage);
    assert_int_equal(number(&stage, &READ_REMAINING), 2);

    tell(&rejected, 3, "booking.rejected", 50); /* never reserved: its Reserve is late */
    add_told(&stage, &rejected);
    struct reserve_item *same_batch = add_reserves(&stage, 50, 1);
    run(&stage);
    struct reserve_item *later = add_reserves(&stage, 50, 1);
    struct reserve_item *released = add_reserves(&stage, 10, 1);
    run(&stage);
    assert_int_equal(same_batch->outcome, RESERVE_RELEASED);
    assert_int_equal(later->outcome, RESERVE_RELEASED);
    assert_int_equal(released->outcome, RESERVE_RELEASED);
    assert_int_equal(number(&stage, &READ_REMAINING), 2);
    assert_int_equal(number(&stage, &COUNT_RESERVATIONS), 1);
    assert_int_equal(number(&stage, &COUNT_TOMBSTONES), 1);
    assert_int_equal(number(&stage, &COUNT_EVENTS), 1);
    close_stage(&stage);
}

static void test_batch_reservation_made_and_ended_together_is_released(void **state)
{
    struct stage stage;
    struct told cancelled;
    open_stage(&stage, state);
    add_registration(&stage, 3);
    add_reserves(&stage, 10, 1);
    tell(&cancelled, 1, "booking.cancelled", 10);
    add_told(&stage, &cancelled);
    run(&stage);
    assert_int_equal(number(&stage, &READ_REMAINING), 3);
    assert_int_equal(number(&stage, &COUNT_RESERVATIONS), 0);
    assert_int_equal(number(&stage, &COUNT_ENDED), 1);
    close_stage(&stage);
}

static void test_batch_malformed_event_fails_and_can_be_buried(void **state)
{
    struct stage stage;
    struct told cancelled;
    struct error error = {0};
    open_stage(&stage, state);
    tell(&cancelled, 1, "booking.cancelled", 10);
    cancelled.booking.booking_id = cancelled.event_id + 1;
    add_told(&stage, &cancelled);
    assert_int_equal(apply(&stage, &error), STATUS_INTERNAL);
    db_rollback(stage.db);
    cancelled.chunk.as_dead_letter = true;
    cancelled.chunk.dead_letter_reason = error.message;
    run(&stage);
    assert_int_equal(number(&stage, &COUNT_DEAD_LETTERS), 1);
    assert_int_equal(number(&stage, &COUNT_ENDED), 0);
    close_stage(&stage);
}

static void test_batch_applied_again_after_a_failure_does_it_once(void **state)
{
    struct stage stage;
    struct error error = {0};
    open_stage(&stage, state);
    add_registration(&stage, 3);
    struct reserve_item *items = add_reserves(&stage, 10, 2);
    fixture_expect(apply(&stage, &error), STATUS_OK, &error);
    db_rollback(stage.db);
    run(&stage);
    assert_int_equal(items[1].outcome, RESERVE_GRANTED);
    assert_int_equal(number(&stage, &READ_REMAINING), 1);
    assert_int_equal(number(&stage, &COUNT_EVENTS), 1);
    /* A COMMIT whose answer was lost: the batch comes once more. */
    stage.count = 2;
    run(&stage);
    assert_int_equal(items[1].outcome, RESERVE_REPEATED);
    assert_int_equal(items[1].remaining, 1);
    assert_int_equal(number(&stage, &READ_REMAINING), 1);
    assert_int_equal(number(&stage, &COUNT_EVENTS), 1);
    close_stage(&stage);
}

static void test_batch_purge_takes_only_what_has_ended_before_the_date(void **state)
{
    struct stage stage;
    struct told told[3];
    open_stage(&stage, state);
    add_registration(&stage, 9);
    add_reserves(&stage, 10, 3);
    run(&stage);
    for (uint8_t i = 0; i < 3; i++) { /* two released, one tombstone */
        tell(&told[i], i + 1u, "booking.cancelled", i < 2 ? (uint8_t)(10 + i) : 77);
        add_told(&stage, &told[i]);
        run(&stage);
    }
    struct command *purge = add(&stage, COMMAND_PURGE);
    purge->wanted.purge.before = today;
    purge->wanted.purge.max = 10;
    run(&stage);
    assert_int_equal(purge->wanted.purge.purged, 0);
    assert_int_equal(number(&stage, &COUNT_ENDED), 3);

    purge = add(&stage, COMMAND_PURGE);
    purge->wanted.purge.before = today + 1;
    purge->wanted.purge.max = 2;
    run(&stage);
    assert_int_equal(purge->wanted.purge.purged, 2);
    assert_int_equal(number(&stage, &COUNT_ENDED), 1);
    assert_int_equal(number(&stage, &COUNT_RESERVATIONS), 1);
    close_stage(&stage);
}

/* ---- the readers' statements ---- */

struct seen {
    size_t count;
    char names[8][32];
    uint32_t remaining;
};

static enum status see(void *context, const struct hospital *hospital, const struct screening_day *day)
{
    struct seen *seen = context;
    (void)snprintf(seen->names[seen->count++], sizeof seen->names[0], "%s", hospital->name);
    seen->remaining = day != NULL ? day->remaining : UINT32_MAX;
    return STATUS_OK;
}

static void list(struct stage *stage, const struct store_list *wanted, struct seen *seen)
{
    struct error error = {0};
    *seen = (struct seen){0};
    fixture_expect(store_list_hospitals(stage->db, wanted, see, seen, &error), STATUS_OK, &error);
}

static void add_named(struct stage *stage, uint8_t number_of, const char *name, uint32_t capacity)
{
    struct command *command = add_registration(stage, capacity);
    command->wanted.registration.hospital_id.bytes[0] = number_of;
    command->wanted.registration.name = name;
}

static void test_list_filters_and_starts_at_an_id(void **state)
{
    struct stage stage;
    struct seen seen;
    open_stage(&stage, state);
    add_named(&stage, 1, "Namsan 100% Clinic", 5);
    add_named(&stage, 2, "Han_River clinic", 0);
    add_named(&stage, 3, "한빛검진센터", 7);
    run(&stage);
    add_deletion(&stage);
    add_reserves(&stage, 10, 1)->wanted.hospital_id.bytes[0] = 3;
    run(&stage);

    struct store_list wanted = {.name_contains = "", .include_deleted = true, .max = 10};
    list(&stage, &wanted, &seen);
    assert_int_equal(seen.count, 3);
    wanted.include_deleted = false;
    list(&stage, &wanted, &seen);
    assert_int_equal(seen.count, 2);
    assert_string_equal(seen.names[0], "Han_River clinic");
    wanted.on_date = true;
    wanted.date = today;
    list(&stage, &wanted, &seen);
    assert_int_equal(seen.count, 1); /* the other's day is closed */
    assert_string_equal(seen.names[0], "한빛검진센터");
    assert_int_equal(seen.remaining, 6);

    static const struct {
        const char *part;
        size_t count;
    } CASES[] = {{"CLINIC", 2}, {"100%", 1}, {"%", 1},  {"_", 1},
                 {"n_r", 1},    {"한빛", 1}, {"\\", 0}, {"x", 0}};
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        const struct store_list by_name = {
            .name_contains = CASES[i].part, .include_deleted = true, .max = 10};
        list(&stage, &by_name, &seen);
        assert_int_equal(seen.count, CASES[i].count);
    }
    const struct store_list second_page = {
        .first_id = {{2}}, .name_contains = "", .include_deleted = true, .max = 1};
    list(&stage, &second_page, &seen);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.names[0], "Han_River clinic");
    close_stage(&stage);
}

static void note_live(void *context, const struct uuid *booking_id)
{
    uint8_t **at = context;
    *(*at)++ = booking_id->bytes[0];
}

static void test_list_live_counts_all_and_shows_the_newest(void **state)
{
    struct stage stage;
    struct told cancelled;
    struct error error = {0};
    uint8_t shown[4] = {0}, *at = shown;
    int64_t count = 0;
    open_stage(&stage, state);
    add_registration(&stage, 9);
    add_reserves(&stage, 10, 4);
    run(&stage);
    tell(&cancelled, 1, "booking.cancelled", 13);
    add_told(&stage, &cancelled);
    run(&stage);
    fixture_expect(store_list_live(stage.db, 2, &count, note_live, &at, &error), STATUS_OK, &error);
    assert_int_equal(count, 3);
    assert_int_equal(at - shown, 2);
    assert_int_equal(shown[0], 12);
    assert_int_equal(shown[1], 11);
    close_stage(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_batch_later_commands_see_what_earlier_ones_left),
        TEST_BOTH(test_batch_of_many_for_few_places_grants_exactly_these),
        TEST_BOTH(test_batch_repeated_reserve_takes_nothing),
        TEST_BOTH(test_batch_repeated_registration_answers_as_it_is_now),
        TEST_BOTH(test_batch_tells_changes_and_nothing_else),
        TEST_BOTH(test_batch_ended_booking_frees_its_place_once),
        TEST_BOTH(test_batch_reservation_made_and_ended_together_is_released),
        TEST_BOTH(test_batch_malformed_event_fails_and_can_be_buried),
        TEST_BOTH(test_batch_applied_again_after_a_failure_does_it_once),
        TEST_BOTH(test_batch_purge_takes_only_what_has_ended_before_the_date),
        TEST_BOTH(test_list_filters_and_starts_at_an_id),
        TEST_BOTH(test_list_live_counts_all_and_shows_the_newest),
    };
    clock_replace(stopped_clock);
    if (civil_zone_set("UTC", NULL) != STATUS_OK) {
        return 1;
    }
    today = civil_day_at(now_us);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
