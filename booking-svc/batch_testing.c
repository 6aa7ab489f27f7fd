#include "batch_testing.h"

#include "store.h"

#include "base/clock.h"
#include "base/unit_testing.h"
#include "db/db_testing.h"
#include "events/event_log.h"

const int64_t STAGE_NOW_US = INT64_C(1796083200000000); /* 2026-12-01T00:00:00Z */
const struct uuid STAGE_HOSPITAL_ID = {{2}};

static int64_t stopped_clock(void)
{
    return STAGE_NOW_US;
}

void stage_stop_clock(void)
{
    clock_replace(stopped_clock);
}

void stage_open(struct stage *stage, void **state)
{
    struct error error = {0};
    *stage = (struct stage){.db = fixture_of(state)->db};
    arena_init(&stage->arena);
    fixture_expect(events_migrate(stage->db, &error), STATUS_OK, &error);
    fixture_expect(store_migrate(stage->db, &error), STATUS_OK, &error);
    stage->log = event_log_create(NULL);
    stage->batch = batch_create(stage->log);
    assert_non_null(stage->batch);
}

void stage_close(struct stage *stage)
{
    batch_destroy(stage->batch);
    event_log_destroy(stage->log);
    arena_fini(&stage->arena);
}

struct booking_command *stage_add(struct stage *stage, enum command_kind kind, uint16_t number)
{
    struct booking_command *command = arena_alloc(&stage->arena, sizeof *command);
    command->kind = kind;
    command->writer.class = kind == COMMAND_CREATE || kind == COMMAND_CANCEL ? WRITER_REQUEST : WRITER_SETTLE;
    command->booking_id = (struct uuid){{1, (uint8_t)(number >> 8), (uint8_t)number}};
    command->hospital_id = STAGE_HOSPITAL_ID;
    command->traceparent = "";
    command->reason = "";
    command->caller = &AUTH_TRUSTED;
    stage->queue[stage->count++] = &command->writer;
    return command;
}

struct booking_command *stage_add_create(struct stage *stage, uint16_t number)
{
    struct booking_command *command = stage_add(stage, COMMAND_CREATE, number);
    struct booking *request = arena_alloc(&stage->arena, sizeof *request);
    *request = (struct booking){
        .booking_id = command->booking_id,
        .hospital_id = STAGE_HOSPITAL_ID,
        .customer_id = "c",
        .customer_name = "김하늘",
        .day = STAGE_TODAY + 1,
        .headcount = 1,
    };
    command->request = request;
    return command;
}

struct booking_command *stage_add_settle(struct stage *stage, uint16_t number, enum placement_outcome outcome)
{
    struct booking_command *command = stage_add(stage, COMMAND_SETTLE, number);
    command->outcome = outcome;
    if (outcome == PLACEMENT_REFUSED)
        command->reason = "SOLD_OUT";
    return command;
}

enum status stage_apply(struct stage *stage, struct error *error)
{
    fixture_expect(db_begin(stage->db, error), STATUS_OK, error);
    for (size_t i = 0; i < stage->count; i++)
        error_clear(&stage->queue[i]->outcome);
    return batch_apply(stage->batch, stage->db, stage->queue, stage->count, error);
}

void stage_run(struct stage *stage)
{
    struct error error = {0};
    fixture_expect(stage_apply(stage, &error), STATUS_OK, &error);
    fixture_expect(db_commit(stage->db, &error), STATUS_OK, &error);
    stage->count = 0;
}
