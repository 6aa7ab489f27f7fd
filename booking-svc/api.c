#include "api.h"

#include "content.h"
#include "reads.h"
#include "wire.h"

#include <string.h>

#include "base/civil.h"
#include "base/container.h"
#include "base/text.h"
#include "base/unicode.h"

#include "screening/v1/words.h"

enum { CUSTOMER_ID_MAX = 64, CUSTOMER_NAME_MAX = 200, REASON_MAX = 200, HEADCOUNT_MAX = 100 };

/* ---- CreateBooking ---- */

/*
 * Checks the names. If a name violates unicode_check_id or unicode_check_shown, only sets request->refusal,
 * because the violation is a reason to refuse a new booking but not a repetition.
 */
static enum status read_names(const Screening__V1__CreateBookingRequest *input, struct arena *arena,
                              struct booking *request, struct error *error)
{
    TRY(text_check_opaque("customer_id", input->customer_id, 1, CUSTOMER_ID_MAX, error));
    TRY(unicode_read("customer_name", input->customer_name, 1, CUSTOMER_NAME_MAX, arena,
                     &request->customer_name, error));
    struct error shown;
    if (unicode_check_id("customer_id", input->customer_id, 1, CUSTOMER_ID_MAX, &shown) == STATUS_OK &&
        unicode_check_shown("customer_name", input->customer_name, &shown) == STATUS_OK)
        return STATUS_OK;
    request->refusal = arena_strdup(arena, shown.message);
    return request->refusal != NULL ? STATUS_OK : error_no_memory(error);
}

/*
 * Decides for whom the caller books. A customer always books for themselves, whatever the request says.
 * Others book for any customer, but staff only at their own hospitals.
 */
static enum status choose_customer(const struct auth_caller *caller, const struct uuid *hospital_id,
                                   Screening__V1__CreateBookingRequest *input, struct error *error)
{
    if (auth_caller_has_scope(caller, hospital_id))
        return STATUS_OK;
    if ((caller->roles & AUTH_CUSTOMER) == 0)
        return error_set(error, STATUS_PERMISSION_DENIED, SCREENING_REASON_NOT_PERMITTED,
                         "hospital_id: is not a hospital of this caller");
    input->customer_id = (char *)(uintptr_t)caller->subject; /* only read */
    return STATUS_OK;
}

static enum status read_create(Screening__V1__CreateBookingRequest *input, const struct auth_caller *caller,
                               struct arena *arena, struct booking *request, struct error *error)
{
    if (input->booking_id[0] == '\0')
        request->booking_id = uuid_v7();
    else
        TRY(text_check_uuid("booking_id", input->booking_id, &request->booking_id, error));
    if (uuid_parse(input->hospital_id, &request->hospital_id)) /* otherwise it is refused below */
        TRY(choose_customer(caller, &request->hospital_id, input, error));
    TRY(read_names(input, arena, request, error));
    TRY(text_check_uuid("hospital_id", input->hospital_id, &request->hospital_id, error));
    TRY(text_check_date("date", input->date, &request->day, error));
    if (input->headcount > HEADCOUNT_MAX)
        return error_invalid(error, "headcount: must be 0 (for 1) to 100");
    request->customer_id = input->customer_id;
    request->headcount = input->headcount == 0 ? 1 : input->headcount;
    request->queue_if_unavailable = input->queue_if_unavailable;
    return content_keep(input, arena, request) ? STATUS_OK : error_no_memory(error);
}

static enum status create_booking(void *service, const void *input, struct rpc_call *call,
                                  struct error *error)
{
    struct booking_api *api = service;
    struct arena *arena = rpc_call_arena(call);
    struct placement *placement = arena_alloc(arena, sizeof *placement);
    struct booking *request = arena_alloc(arena, sizeof *request);
    Screening__V1__CreateBookingRequest *sent = arena_alloc(arena, sizeof *sent);
    if (placement == NULL || request == NULL || sent == NULL)
        return error_no_memory(error);
    *sent = *(const Screening__V1__CreateBookingRequest *)input;
    TRY(read_create(sent, rpc_call_caller(call), arena, request, error));
    placement->call = call;
    placement->hospital_id = request->hospital_id;
    placement->day = request->day;
    placement->headcount = request->headcount;
    placement->command.booking_id = request->booking_id;
    placement->command.request = request;
    placement->command.sent = sent;
    placement->command.caller = rpc_call_caller(call);
    placement->command.traceparent = rpc_call_traceparent(call);
    return placement_create(api->placements, placement, error);
}

/* ---- CancelBooking and AbandonBooking, which return the booking ---- */

struct change {
    struct booking_command command;
    struct rpc_call *call;
    struct booking place; /* for AbandonBooking */
};

static void changed(struct writer_command *command)
{
    struct change *change = container_of(command, struct change, command.writer);
    struct booking_wire wire;
    if (command->outcome.status != STATUS_OK)
        rpc_call_fail(change->call, &command->outcome);
    else
        rpc_call_reply(change->call, &booking_wire_fill(&wire, change->command.booking)->base);
}

/* Creates the command for a change. Returns NULL when out of memory. */
static struct change *create_change(struct rpc_call *call, enum command_kind kind)
{
    struct change *change = arena_alloc(rpc_call_arena(call), sizeof *change);
    if (change == NULL)
        return NULL;
    change->call = call;
    change->command.kind = kind;
    change->command.traceparent = rpc_call_traceparent(call);
    return change;
}

static enum status cancel_booking(void *service, const void *request, struct rpc_call *call,
                                  struct error *error)
{
    struct booking_api *api = service;
    const Screening__V1__CancelBookingRequest *input = request;
    struct change *change = create_change(call, COMMAND_CANCEL);
    if (change == NULL)
        return error_no_memory(error);
    struct booking_command *command = &change->command;
    TRY(text_check_uuid("booking_id", input->booking_id, &command->booking_id, error));
    TRY(unicode_read("reason", input->reason, 0, REASON_MAX, rpc_call_arena(call), &command->reason, error));
    TRY(unicode_check_shown("reason", command->reason, error));
    command->caller = rpc_call_caller(call);
    return handler_write(api->writer, &command->writer, changed, call, error);
}

static enum status read_place(const Screening__V1__AbandonBookingRequest *input, struct booking *place,
                              struct error *error)
{
    TRY(text_check_uuid("booking_id", input->booking_id, &place->booking_id, error));
    TRY(text_check_uuid("hospital_id", input->hospital_id, &place->hospital_id, error));
    TRY(text_check_date("date", input->date, &place->day, error));
    if (input->headcount < 1 || input->headcount > HEADCOUNT_MAX)
        return error_invalid(error, "headcount: must be 1 to %d", HEADCOUNT_MAX);
    place->headcount = input->headcount;
    return STATUS_OK;
}

/* Releases a booking's place, for an operator after a restore. */
static enum status abandon_booking(void *service, const void *input, struct rpc_call *call,
                                   struct error *error)
{
    struct booking_api *api = service;
    struct change *change = create_change(call, COMMAND_ABANDON);
    if (change == NULL)
        return error_no_memory(error);
    TRY(read_place(input, &change->place, error));
    change->command.booking_id = change->place.booking_id;
    change->command.request = &change->place;
    return handler_write(api->writer, &change->command.writer, changed, call, error);
}

static const struct handler HANDLERS[] = {
    {"CreateBooking", create_booking},          {"GetBooking", reads_get_booking},
    {"ListBookings", reads_list_bookings},      {"CancelBooking", cancel_booking},
    {"LookUpBookings", reads_look_up_bookings}, {"AbandonBooking", abandon_booking},
};

void booking_api_init(struct booking_api *api)
{
    handler_service_init(&api->service, &screening__v1__booking_service__descriptor, HANDLERS);
}
