#include "repair.h"

#include "batch.h"
#include "store.h"
#include "wire.h"

#include "base/map.h"
#include "base/text.h"

enum { HEADCOUNT_MAX = 100 };

/* ---- LookUpBookings ---- */

struct look_up {
    struct reader_task task;
    struct rpc_call *call;
    struct uuid *ids;
    Screening__V1__BookingState *states; /* one per id, in the same order */
    Screening__V1__BookingState **pointers;
    size_t count;
    struct map by_id; /* while it runs: the first state of each id */
};

static void refuse_look_up(struct reader_task *task, const struct error *error)
{
    rpc_call_fail(container_of(task, struct look_up, task)->call, error);
}

static enum status take_state(void *context, const struct booking *booking)
{
    struct look_up *look_up = context;
    Screening__V1__BookingState *state = map_get(&look_up->by_id, &booking->booking_id);
    if (state != NULL)
        state->status = (Screening__V1__BookingStatus)booking->status;
    return STATUS_OK;
}

/* An id that occurs twice in the request is answered twice. */
static enum status find_states(struct look_up *look_up, struct db *db, struct error *error)
{
    for (size_t i = 0; i < look_up->count; i++)
        if (map_get(&look_up->by_id, &look_up->ids[i]) == NULL &&
            map_put(&look_up->by_id, &look_up->ids[i], &look_up->states[i]) != STATUS_OK)
            return error_no_memory(error);
    enum status status = store_load_bookings(db, look_up->ids, look_up->count, take_state, look_up, error);
    for (size_t i = 0; i < look_up->count && status == STATUS_OK; i++) {
        const Screening__V1__BookingState *first = map_get(&look_up->by_id, &look_up->ids[i]);
        look_up->states[i].status = first->status;
    }
    return status;
}

static void run_look_up(struct reader_task *task, struct db *db)
{
    struct look_up *look_up = container_of(task, struct look_up, task);
    struct error error = {0};
    map_init(&look_up->by_id, sizeof(struct uuid));
    enum status status = find_states(look_up, db, &error);
    map_fini(&look_up->by_id);
    if (status != STATUS_OK) {
        struct error told;
        reader_task_explain(task, &error, rpc_call_request_id(look_up->call), &told);
        rpc_call_fail(look_up->call, &told);
        return;
    }
    Screening__V1__LookUpBookingsResponse response = SCREENING__V1__LOOK_UP_BOOKINGS_RESPONSE__INIT;
    response.bookings = look_up->pointers;
    response.n_bookings = look_up->count;
    rpc_call_reply(look_up->call, &response.base);
}

static enum status read_ids(const Screening__V1__LookUpBookingsRequest *input, struct look_up *look_up,
                            struct error *error)
{
    for (size_t i = 0; i < look_up->count; i++) {
        enum status status = text_check_uuid("booking_ids", input->booking_ids[i], &look_up->ids[i], error);
        if (status != STATUS_OK)
            return status;
        screening__v1__booking_state__init(&look_up->states[i]);
        look_up->states[i].booking_id = input->booking_ids[i];
        look_up->pointers[i] = &look_up->states[i];
    }
    return STATUS_OK;
}

enum status repair_look_up(struct reader_pool *readers, const Screening__V1__LookUpBookingsRequest *input,
                           struct rpc_call *call, struct error *error)
{
    const size_t count = input->n_booking_ids;
    if (count < 1 || count > LOOK_UP_IDS_MAX)
        return error_set(error, STATUS_INVALID_ARGUMENT, NULL, "booking_ids: must be 1 to %d",
                         LOOK_UP_IDS_MAX);
    struct arena *arena = rpc_call_arena(call);
    struct look_up *look_up = arena_alloc(arena, sizeof *look_up);
    if (look_up == NULL)
        return error_no_memory(error);
    look_up->ids = arena_alloc(arena, count * sizeof *look_up->ids);
    look_up->states = arena_alloc(arena, count * sizeof *look_up->states);
    look_up->pointers = arena_alloc(arena, count * sizeof(Screening__V1__BookingState *));
    if (look_up->ids == NULL || look_up->states == NULL || look_up->pointers == NULL)
        return error_no_memory(error);
    look_up->call = call;
    look_up->count = count;
    enum status status = read_ids(input, look_up, error);
    if (status != STATUS_OK)
        return status;
    look_up->task.item.source = rpc_call_source(call);
    look_up->task.deadline_ns = rpc_call_deadline_ns(call);
    look_up->task.run = run_look_up;
    look_up->task.refuse = refuse_look_up;
    return reader_pool_submit(readers, &look_up->task, error);
}

/* ---- AbandonBooking ---- */

struct abandon {
    struct booking_command command;
    struct rpc_call *call;
    struct booking place;
};

static void abandoned(struct writer_command *command)
{
    struct abandon *abandon = container_of(command, struct abandon, command.writer);
    if (command->outcome.status != STATUS_OK) {
        rpc_call_fail(abandon->call, &command->outcome);
        return;
    }
    struct booking_wire wire;
    rpc_call_reply(abandon->call, &booking_wire_fill(&wire, abandon->command.booking)->base);
}

static enum status read_place(const Screening__V1__AbandonBookingRequest *input, struct booking *place,
                              struct error *error)
{
    enum status status = text_check_uuid("booking_id", input->booking_id, &place->booking_id, error);
    if (status == STATUS_OK)
        status = text_check_uuid("hospital_id", input->hospital_id, &place->hospital_id, error);
    if (status == STATUS_OK)
        status = text_check_date("date", input->date, &place->day, error);
    if (status == STATUS_OK && (input->headcount < 1 || input->headcount > HEADCOUNT_MAX))
        status = error_set(error, STATUS_INVALID_ARGUMENT, NULL, "headcount: must be 1 to %d", HEADCOUNT_MAX);
    place->headcount = input->headcount;
    return status;
}

enum status repair_abandon(struct writer *writer, const Screening__V1__AbandonBookingRequest *input,
                           struct rpc_call *call, struct error *error)
{
    struct abandon *abandon = arena_alloc(rpc_call_arena(call), sizeof *abandon);
    if (abandon == NULL)
        return error_no_memory(error);
    enum status status = read_place(input, &abandon->place, error);
    if (status != STATUS_OK)
        return status;
    abandon->call = call;
    abandon->command.kind = COMMAND_ABANDON;
    abandon->command.booking_id = abandon->place.booking_id;
    abandon->command.request = &abandon->place;
    abandon->command.traceparent = rpc_call_traceparent(call);
    abandon->command.writer.class = WRITER_REQUEST;
    abandon->command.writer.item.source = rpc_call_source(call);
    abandon->command.writer.deadline_ns = rpc_call_deadline_ns(call);
    abandon->command.writer.complete = abandoned;
    return writer_submit_request(writer, &abandon->command.writer, error);
}
