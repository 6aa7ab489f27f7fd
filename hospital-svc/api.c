#include "api.h"

#include "command.h"
#include "reads.h"
#include "wire.h"

#include "base/log.h"
#include "rpc/server.h"

#include "screening/v1/words.h"

/* Allocated in the call's arena, and freed when the call is answered. */
struct api_command {
    struct command command;
    struct rpc_call *call;
    const Screening__V1__BatchReserveRequest *batch; /* for BatchReserve */
};

/* Creates a command. Returns NULL when out of memory. */
static struct api_command *create_command(struct rpc_call *call, enum command_kind kind)
{
    struct arena *arena = rpc_call_arena(call);
    struct api_command *mine = arena_alloc(arena, sizeof *mine);
    if (mine == NULL)
        return NULL;
    mine->call = call;
    mine->command.kind = kind;
    mine->command.arena = arena;
    mine->command.traceparent = rpc_call_traceparent(call);
    return mine;
}

/* Submits a command if `status`, the result of validating the request, is OK. Otherwise returns `status`. */
static enum status submit(struct hospital_api *api, struct api_command *mine, enum status status,
                          void (*complete)(struct writer_command *command), struct error *error)
{
    TRY(status);
    return handler_write(api->writer, &mine->command.writer, complete, mine->call, error);
}

static void fail(struct rpc_call *call, enum status status, const char *reason, const char *message)
{
    struct error error;
    (void)error_set(&error, status, reason, "%s", message);
    rpc_call_fail(call, &error);
}

static void fail_command(struct api_command *mine, const struct error *why)
{
    const struct error error = *why; /* the command is freed with the call */
    log_event(LOG_DEBUG, "call.refused", LOG_TEXT("request_id", rpc_call_request_id(mine->call)),
              LOG_TEXT("status", status_name(error.status)), LOG_TEXT("reason", error.reason));
    rpc_call_fail(mine->call, &error);
}

/* ---- methods that change hospitals and days; the batch builds the answer ---- */

static void complete_answered(struct writer_command *command)
{
    struct api_command *mine = container_of(command, struct api_command, command.writer);
    if (command->outcome.status != STATUS_OK)
        fail_command(mine, &command->outcome);
    else
        rpc_call_reply(mine->call, mine->command.answer);
}

static enum status register_hospital(void *api, const void *request, struct rpc_call *call,
                                     struct error *error)
{
    struct api_command *mine = create_command(call, COMMAND_REGISTER);
    if (mine == NULL)
        return error_no_memory(error);
    enum status status =
        wire_read_registration(request, rpc_call_has_explicit_presence(call), mine->command.arena,
                               &mine->command.wanted.registration, error);
    return submit(api, mine, status, complete_answered, error);
}

static enum status set_capacity(void *api, const void *request, struct rpc_call *call, struct error *error)
{
    struct api_command *mine = create_command(call, COMMAND_SET_CAPACITY);
    if (mine == NULL)
        return error_no_memory(error);
    enum status status = wire_read_capacity(request, rpc_call_has_explicit_presence(call),
                                            &mine->command.wanted.capacity, error);
    if (status == STATUS_OK &&
        !auth_caller_has_scope(rpc_call_caller(call), &mine->command.wanted.capacity.hospital_id))
        status = error_set(error, STATUS_PERMISSION_DENIED, SCREENING_REASON_NOT_PERMITTED,
                           "hospital_id: is not a hospital of this caller");
    return submit(api, mine, status, complete_answered, error);
}

static enum status delete_hospital(void *api, const void *request, struct rpc_call *call, struct error *error)
{
    const Screening__V1__DeleteHospitalRequest *input = request;
    struct api_command *mine = create_command(call, COMMAND_DELETE);
    if (mine == NULL)
        return error_no_memory(error);
    enum status status = wire_read_hospital_id(input->hospital_id, &mine->command.wanted.hospital_id, error);
    return submit(api, mine, status, complete_answered, error);
}

/* ---- Reserve and BatchReserve ---- */

static void log_refusal(const struct api_command *mine, const struct reserve_item *item)
{
    const struct reserve_answer *answer = reserve_answer(item->outcome);
    if (answer->status != STATUS_OK && !item->malformed) {
        log_event(LOG_DEBUG, "reservation.refused", LOG_UUID("booking_id", &item->wanted.booking_id),
                  LOG_TEXT("request_id", rpc_call_request_id(mine->call)),
                  LOG_TEXT("status", status_name(answer->status)), LOG_TEXT("reason", answer->reason));
    }
}

static void complete_reserve(struct writer_command *command)
{
    struct api_command *mine = container_of(command, struct api_command, command.writer);
    const struct reserve_item *item = mine->command.wanted.reserve.items;
    if (command->outcome.status != STATUS_OK) {
        fail_command(mine, &command->outcome);
        return;
    }
    const struct reserve_answer *answer = reserve_answer(item->outcome);
    if (answer->status != STATUS_OK) {
        log_refusal(mine, item);
        fail(mine->call, answer->status, answer->reason, answer->message);
        return;
    }
    Screening__V1__ReserveResponse response = SCREENING__V1__RESERVE_RESPONSE__INIT;
    response.remaining = item->remaining;
    response.era = (uint64_t)mine->command.wanted.reserve.era;
    rpc_call_reply(mine->call, &response.base);
}

static enum status reserve(void *api, const void *request, struct rpc_call *call, struct error *error)
{
    struct api_command *mine = create_command(call, COMMAND_RESERVE);
    struct reserve_item *item = arena_alloc(rpc_call_arena(call), sizeof *item);
    if (mine == NULL || item == NULL)
        return error_no_memory(error);
    mine->command.wanted.reserve.items = item;
    mine->command.wanted.reserve.count = 1;
    return submit(api, mine, wire_read_reserve(request, &item->wanted, error), complete_reserve, error);
}

static void fill_result(const struct reserve_item *item, char *booking_id, Screening__V1__ReserveResult *out)
{
    const struct reserve_answer *answer = reserve_answer(item->outcome);
    screening__v1__reserve_result__init(out);
    out->booking_id = booking_id;
    out->code = (uint32_t)answer->status;
    out->reason = (char *)answer->reason; /* not const in protobuf-c, but only read */
    out->remaining = item->remaining;
}

static void complete_batch(struct writer_command *command)
{
    struct api_command *mine = container_of(command, struct api_command, command.writer);
    const size_t count = mine->command.wanted.reserve.count;
    if (command->outcome.status != STATUS_OK) {
        fail_command(mine, &command->outcome);
        return;
    }
    Screening__V1__ReserveResult *results = arena_alloc(mine->command.arena, count * sizeof *results);
    Screening__V1__ReserveResult **pointers = arena_alloc(mine->command.arena, count * sizeof(void *));
    if (results == NULL || pointers == NULL) {
        /*
         * The reservations are committed, but there is no memory for the answer. After UNAVAILABLE the caller
         * may repeat the call with the same ids.
         */
        fail(mine->call, STATUS_UNAVAILABLE, NULL, "out of memory");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const struct reserve_item *item = &mine->command.wanted.reserve.items[i];
        log_refusal(mine, item);
        fill_result(item, mine->batch->requests[i]->booking_id, &results[i]);
        pointers[i] = &results[i];
    }
    Screening__V1__BatchReserveResponse response = SCREENING__V1__BATCH_RESERVE_RESPONSE__INIT;
    response.results = pointers;
    response.n_results = count;
    response.era = (uint64_t)mine->command.wanted.reserve.era;
    rpc_call_reply(mine->call, &response.base);
}

/* Reads a batch. A malformed item is marked as such and does not affect the other items. */
static enum status read_batch(const Screening__V1__BatchReserveRequest *request, struct api_command *mine,
                              struct error *error)
{
    const size_t count = request->n_requests;
    if (count < 1 || count > RESERVE_ITEMS_MAX)
        return error_invalid(error, "requests: must be 1 to %d", RESERVE_ITEMS_MAX);
    struct reserve_item *items = arena_alloc(mine->command.arena, count * sizeof *items);
    if (items == NULL)
        return error_no_memory(error);
    for (size_t i = 0; i < count; i++)
        items[i].malformed = wire_read_reserve(request->requests[i], &items[i].wanted, NULL) != STATUS_OK;
    mine->batch = request;
    mine->command.wanted.reserve.items = items;
    mine->command.wanted.reserve.count = count;
    mine->command.wanted.reserve.booking_era = (int64_t)request->booking_era;
    mine->command.wanted.reserve.hospital_era = (int64_t)request->hospital_era;
    return STATUS_OK;
}

static enum status batch_reserve(void *api, const void *request, struct rpc_call *call, struct error *error)
{
    struct api_command *mine = create_command(call, COMMAND_RESERVE);
    if (mine == NULL)
        return error_no_memory(error);
    return submit(api, mine, read_batch(request, mine, error), complete_batch, error);
}

static const struct handler HANDLERS[] = {
    {"RegisterHospital", register_hospital},
    {"GetHospital", reads_get_hospital},
    {"ListHospitals", reads_list_hospitals},
    {"SetCapacity", set_capacity},
    {"DeleteHospital", delete_hospital},
    {"GetAvailability", reads_get_availability},
    {"Reserve", reserve},
    {"BatchReserve", batch_reserve},
    {"ListReservations", reads_list_reservations},
};

void hospital_api_init(struct hospital_api *api)
{
    handler_service_init(&api->service, &screening__v1__hospital_service__descriptor, HANDLERS);
}
