#include "batch_testing.h"

#include "store.h"

#include "base/clock.h"

static const char LOG_ID[] = "01890000-0000-7000-8000-0000000000ff";

const struct uuid STAGE_HOSPITAL_ID = {{1}};
const int64_t STAGE_NOW_US = INT64_C(1796083200000000); /* 2026-12-01T00:00:00Z */
int32_t stage_today;

static int64_t stopped_clock(void)
{
    return STAGE_NOW_US;
}

void stage_stop_clock(void)
{
    clock_replace(stopped_clock);
    stage_today = civil_day_at(STAGE_NOW_US);
}

void stage_open(struct stage *stage, void **state)
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
    stage_pair(stage);
}

void stage_pair(struct stage *stage)
{
    const struct uuid booking_log_id = {{3}};
    struct error error = {0};
    fixture_expect(db_begin(stage->db, &error), STATUS_OK, &error);
    fixture_expect(event_log_take_head(stage->log, stage->db, &error), STATUS_OK, &error);
    fixture_expect(era_pair(stage->db, event_log_era(stage->log), STAGE_BOOKING_ERA, &booking_log_id, &error),
                   STATUS_OK, &error);
    fixture_expect(db_commit(stage->db, &error), STATUS_OK, &error);
    event_log_publish(stage->log);
}

void stage_close(struct stage *stage)
{
    batch_destroy(stage->batch);
    event_log_destroy(stage->log);
    arena_fini(&stage->arena);
}

struct command *stage_add(struct stage *stage, enum command_kind kind)
{
    struct command *command = &stage->commands[stage->count];
    *command = (struct command){.kind = kind, .arena = &stage->arena, .traceparent = ""};
    command->writer.class = WRITER_REQUEST;
    stage->queue[stage->count++] = &command->writer;
    return command;
}

enum status stage_apply(struct stage *stage, struct error *error)
{
    const struct writer_ops ops = batch_ops(stage->batch);
    fixture_expect(db_begin(stage->db, error), STATUS_OK, error);
    for (size_t i = 0; i < stage->count; i++)
        error_clear(&stage->queue[i]->outcome);
    return ops.apply(ops.context, stage->db, stage->queue, stage->count, error);
}

void stage_run(struct stage *stage)
{
    const struct writer_ops ops = batch_ops(stage->batch);
    struct error error = {0};
    fixture_expect(stage_apply(stage, &error), STATUS_OK, &error);
    fixture_expect(db_commit(stage->db, &error), STATUS_OK, &error);
    ops.committed(ops.context);
    stage->count = 0;
}

int64_t stage_number(struct stage *stage, const struct db_statement *statement)
{
    return fixture_number(stage->db, statement);
}

/* ---- commands ---- */

struct command *stage_add_registration(struct stage *stage, uint32_t capacity)
{
    struct command *command = stage_add(stage, COMMAND_REGISTER);
    struct day_wanted *day = arena_alloc(&stage->arena, sizeof *day);
    *day = (struct day_wanted){stage_today, capacity};
    command->wanted.registration = (struct registration){.hospital_id = STAGE_HOSPITAL_ID,
                                                         .name = "Namsan Clinic",
                                                         .address = "Seoul",
                                                         .content = {7},
                                                         .days = day,
                                                         .day_count = 1};
    return command;
}

struct command *stage_add_capacity(struct stage *stage, int32_t date, uint32_t capacity)
{
    struct command *command = stage_add(stage, COMMAND_SET_CAPACITY);
    command->wanted.capacity =
        (struct capacity_wanted){.hospital_id = STAGE_HOSPITAL_ID, .date = date, .capacity = capacity};
    return command;
}

struct command *stage_add_deletion(struct stage *stage)
{
    struct command *command = stage_add(stage, COMMAND_DELETE);
    command->wanted.hospital_id = STAGE_HOSPITAL_ID;
    return command;
}

struct reserve_item *stage_add_reserves(struct stage *stage, uint8_t first, size_t count)
{
    struct command *command = stage_add(stage, COMMAND_RESERVE);
    struct reserve_item *items = arena_alloc(&stage->arena, count * sizeof *items);
    for (size_t i = 0; i < count; i++) {
        items[i].wanted = (struct reserve){.booking_id = {{(uint8_t)(first + i)}},
                                           .hospital_id = STAGE_HOSPITAL_ID,
                                           .date = stage_today,
                                           .headcount = 1};
    }
    command->wanted.reserve.items = items;
    command->wanted.reserve.count = count;
    return items;
}

void stage_make_event(struct sent_event *sent, uint64_t seq, const char *type, uint8_t booking)
{
    const struct uuid booking_id = {{booking}}, event_id = {{(uint8_t)seq, 9}};
    *sent = (struct sent_event){.booking = SCREENING__V1__BOOKING__INIT, .event = SCREENING__V1__EVENT__INIT};
    sent->booking.booking_id = uuid_format(&booking_id, sent->booking_id);
    sent->booking.hospital_id = uuid_format(&STAGE_HOSPITAL_ID, sent->hospital_id);
    sent->booking.date = civil_format(stage_today, sent->date);
    sent->event.seq = seq;
    sent->event.event_id = uuid_format(&event_id, sent->event_id);
    sent->event.type = (char *)type;
    sent->event.body_case = SCREENING__V1__EVENT__BODY_BOOKING;
    sent->event.booking = &sent->booking;
    sent->events = &sent->event;
    sent->chunk =
        (struct event_chunk){.log = "booking", .log_id = LOG_ID, .events = &sent->events, .count = 1};
    sent->chunk.writer.class = WRITER_EVENT;
}

void stage_add_event(struct stage *stage, struct sent_event *sent)
{
    stage->queue[stage->count++] = &sent->chunk.writer;
}
