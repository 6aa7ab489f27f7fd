#include "api.h"

#include "content.h"
#include "reads.h"
#include "repair.h"
#include "wire.h"

#include <string.h>

#include "base/civil.h"
#include "base/text.h"
#include "base/unicode.h"

enum { CUSTOMER_ID_MAX = 64, CUSTOMER_NAME_MAX = 200, REASON_MAX = 200, HEADCOUNT_MAX = 100 };

static struct booking_api *api_of(Screening__V1__BookingService_Service *service)
{
    return (struct booking_api *)service;
}

/* ---- CreateBooking ---- */

/* A violation of unicode_check_id or unicode_check_shown only sets request->refusal, because it refuses a new
 * booking but not a repeat. */
static enum status read_names(const Screening__V1__CreateBookingRequest *input, struct arena *arena,
                              struct booking *request, struct error *error)
{
    enum status status = text_check_opaque("customer_id", input->customer_id, 1, CUSTOMER_ID_MAX, error);
    if (status == STATUS_OK)
        status = unicode_read("customer_name", input->customer_name, 1, CUSTOMER_NAME_MAX, arena,
                              &request->customer_name, error);
    if (status != STATUS_OK)
        return status;
    struct error shown;
    if (unicode_check_id("customer_id", input->customer_id, 1, CUSTOMER_ID_MAX, &shown) != STATUS_OK ||
        unicode_check_shown("customer_name", input->customer_name, &shown) != STATUS_OK)
        request->refusal = arena_strdup(arena, shown.message);
    else
        return STATUS_OK;
    return request->refusal != NULL ? STATUS_OK : error_no_memory(error);
}

static enum status read_create(const Screening__V1__CreateBookingRequest *input, struct arena *arena,
                               struct booking *request, struct error *error)
{
    enum status status = STATUS_OK;
    if (input->booking_id[0] == '\0')
        request->booking_id = uuid_v7();
    else
        status = text_check_uuid("booking_id", input->booking_id, &request->booking_id, error);
    if (status == STATUS_OK)
        status = read_names(input, arena, request, error);
    if (status == STATUS_OK)
        status = text_check_uuid("hospital_id", input->hospital_id, &request->hospital_id, error);
    if (status == STATUS_OK)
        status = text_check_date("date", input->date, &request->day, error);
    if (status == STATUS_OK && input->headcount > HEADCOUNT_MAX)
        status = error_set(error, STATUS_INVALID_ARGUMENT, NULL, "headcount: must be 0 (for 1) to 100");
    if (status != STATUS_OK)
        return status;
    request->customer_id = input->customer_id;
    request->headcount = input->headcount == 0 ? 1 : input->headcount;
    request->queue_if_unavailable = input->queue_if_unavailable;
    return content_hash(input, arena, request) ? STATUS_OK : error_no_memory(error);
}

static enum status submit_create(struct booking_api *api, const Screening__V1__CreateBookingRequest *input,
                                 struct rpc_call *call, struct error *error)
{
    struct arena *arena = rpc_call_arena(call);
    struct work *work = arena_alloc(arena, sizeof *work);
    struct booking *request = arena_alloc(arena, sizeof *request);
    if (work == NULL || request == NULL)
        return error_no_memory(error);
    enum status status = read_create(input, arena, request, error);
    if (status != STATUS_OK)
        return status;
    work->call = call;
    work->hospital_id = request->hospital_id;
    work->day = request->day;
    work->headcount = request->headcount;
    work->command.booking_id = request->booking_id;
    work->command.request = request;
    work->command.traceparent = rpc_call_traceparent(call);
    return work_create(api->works, work, error);
}

static void create_booking(Screening__V1__BookingService_Service *service,
                           const Screening__V1__CreateBookingRequest *input,
                           Screening__V1__Booking_Closure closure, void *closure_data)
{
    (void)closure;
    struct error error;
    if (submit_create(api_of(service), input, closure_data, &error) != STATUS_OK)
        rpc_call_fail(closure_data, &error);
}

/* ---- CancelBooking ---- */

struct cancel {
    struct booking_command command; /* must be first: the writer passes it to `complete` */
    struct rpc_call *call;
};

static void cancelled(struct writer_command *command)
{
    struct cancel *cancel = (struct cancel *)command;
    if (command->outcome.status != STATUS_OK) {
        rpc_call_fail(cancel->call, &command->outcome);
        return;
    }
    struct booking_wire wire;
    rpc_call_reply(cancel->call, &booking_wire_fill(&wire, cancel->command.booking)->base);
}

static enum status submit_cancel(struct booking_api *api, const Screening__V1__CancelBookingRequest *input,
                                 struct rpc_call *call, struct error *error)
{
    struct cancel *cancel = arena_alloc(rpc_call_arena(call), sizeof *cancel);
    if (cancel == NULL)
        return error_no_memory(error);
    enum status status = text_check_uuid("booking_id", input->booking_id, &cancel->command.booking_id, error);
    if (status == STATUS_OK)
        status = unicode_read("reason", input->reason, 0, REASON_MAX, rpc_call_arena(call),
                              &cancel->command.reason, error);
    if (status == STATUS_OK)
        status = unicode_check_shown("reason", cancel->command.reason, error);
    if (status != STATUS_OK)
        return status;
    cancel->call = call;
    cancel->command.kind = COMMAND_CANCEL;
    cancel->command.traceparent = rpc_call_traceparent(call);
    cancel->command.writer.class = WRITER_REQUEST;
    cancel->command.writer.item.source = rpc_call_source(call);
    cancel->command.writer.deadline_ns = rpc_call_deadline_ns(call);
    cancel->command.writer.complete = cancelled;
    return writer_submit_request(api->writer, &cancel->command.writer, error);
}

static void cancel_booking(Screening__V1__BookingService_Service *service,
                           const Screening__V1__CancelBookingRequest *input,
                           Screening__V1__Booking_Closure closure, void *closure_data)
{
    (void)closure;
    struct error error;
    if (submit_cancel(api_of(service), input, closure_data, &error) != STATUS_OK)
        rpc_call_fail(closure_data, &error);
}

/* ---- reads ---- */

static void get_booking(Screening__V1__BookingService_Service *service,
                        const Screening__V1__GetBookingRequest *input, Screening__V1__Booking_Closure closure,
                        void *closure_data)
{
    (void)closure;
    struct error error;
    if (reads_get_booking(api_of(service)->readers, input, closure_data, &error) != STATUS_OK)
        rpc_call_fail(closure_data, &error);
}

static void list_bookings(Screening__V1__BookingService_Service *service,
                          const Screening__V1__ListBookingsRequest *input,
                          Screening__V1__ListBookingsResponse_Closure closure, void *closure_data)
{
    (void)closure;
    struct error error;
    if (reads_list_bookings(api_of(service)->readers, input, closure_data, &error) != STATUS_OK)
        rpc_call_fail(closure_data, &error);
}

/* ---- for operators ---- */

static void look_up_bookings(Screening__V1__BookingService_Service *service,
                             const Screening__V1__LookUpBookingsRequest *input,
                             Screening__V1__LookUpBookingsResponse_Closure closure, void *closure_data)
{
    (void)closure;
    struct error error;
    if (repair_look_up(api_of(service)->readers, input, closure_data, &error) != STATUS_OK)
        rpc_call_fail(closure_data, &error);
}

static void abandon_booking(Screening__V1__BookingService_Service *service,
                            const Screening__V1__AbandonBookingRequest *input,
                            Screening__V1__Booking_Closure closure, void *closure_data)
{
    (void)closure;
    struct error error;
    if (repair_abandon(api_of(service)->writer, input, closure_data, &error) != STATUS_OK)
        rpc_call_fail(closure_data, &error);
}

void booking_api_init(struct booking_api *api)
{
    api->service = (Screening__V1__BookingService_Service)SCREENING__V1__BOOKING_SERVICE__INIT();
}
