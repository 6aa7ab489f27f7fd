#include "reads.h"

#include "store.h"
#include "wire.h"

#include <string.h>

#include "base/page_token.h"
#include "base/text.h"

enum { CUSTOMER_ID_MAX = 64 };

static void fail(struct reader_task *task, struct rpc_call *call, const struct error *cause)
{
    struct error told;
    reader_task_explain(task, cause, rpc_call_request_id(call), &told);
    rpc_call_fail(call, &told);
}

/* The bookings that a read has found. */
struct found {
    struct arena *arena;
    const struct booking **bookings;
    size_t count, room;
};

static enum status keep(void *context, const struct booking *booking)
{
    struct found *found = context;
    const struct booking *copy = store_copy_booking(found->arena, booking);
    if (copy == NULL || found->count == found->room)
        return STATUS_RESOURCE_EXHAUSTED;
    found->bookings[found->count++] = copy;
    return STATUS_OK;
}

/* ---- GetBooking ---- */

struct get_task {
    struct reader_task task;
    struct rpc_call *call;
    struct uuid booking_id;
};

static void refuse_get(struct reader_task *task, const struct error *error)
{
    rpc_call_fail(container_of(task, struct get_task, task)->call, error);
}

static void run_get(struct reader_task *task, struct db *db)
{
    struct get_task *get = container_of(task, struct get_task, task);
    const struct booking *booking = NULL;
    struct found found = {.arena = rpc_call_arena(get->call), .bookings = &booking, .room = 1};
    struct error error;
    enum status status = store_load_bookings(db, &get->booking_id, 1, keep, &found, &error);
    if (status == STATUS_OK && booking == NULL)
        status = error_set(&error, STATUS_NOT_FOUND, NULL, "booking_id: there is no such booking");
    if (status != STATUS_OK) {
        fail(task, get->call, &error);
        return;
    }
    struct booking_wire wire;
    rpc_call_reply(get->call, &booking_wire_fill(&wire, booking)->base);
}

enum status reads_get_booking(struct reader_pool *readers, const Screening__V1__GetBookingRequest *input,
                              struct rpc_call *call, struct error *error)
{
    struct get_task *get = arena_alloc(rpc_call_arena(call), sizeof *get);
    if (get == NULL)
        return error_no_memory(error);
    enum status status = text_check_uuid("booking_id", input->booking_id, &get->booking_id, error);
    if (status != STATUS_OK)
        return status;
    get->call = call;
    get->task.item.source = rpc_call_source(call);
    get->task.deadline_ns = rpc_call_deadline_ns(call);
    get->task.run = run_get;
    get->task.refuse = refuse_get;
    return reader_pool_submit(readers, &get->task, error);
}

/* ---- ListBookings ---- */

struct list_task {
    struct reader_task task;
    struct rpc_call *call;
    struct booking_filter filter;
    const char *query; /* the filter as text; a page token is valid only for it */
    struct uuid after;
    uint32_t page_size;
};

static void refuse_list(struct reader_task *task, const struct error *error)
{
    rpc_call_fail(container_of(task, struct list_task, task)->call, error);
}

/* Fills the page with as many bookings as it may hold and as fit into one answer. */
static size_t fill_page(const struct list_task *list, const struct found *found, struct booking_wire *wires,
                        Screening__V1__Booking **messages)
{
    struct page_room room;
    page_room_init(&room, rpc_call_response_max_bytes(list->call));
    size_t count = 0;
    for (; count < found->count && count < list->page_size; count++) {
        messages[count] = (Screening__V1__Booking *)booking_wire_fill(&wires[count], found->bookings[count]);
        if (!page_room_take(&room, screening__v1__booking__get_packed_size(messages[count])))
            break;
    }
    return count;
}

static enum status reply_list(struct list_task *list, const struct found *found, struct error *error)
{
    struct booking_wire *wires = arena_alloc(found->arena, (found->count + 1) * sizeof *wires);
    Screening__V1__Booking **messages = arena_alloc(found->arena, (found->count + 1) * sizeof *messages);
    if (wires == NULL || messages == NULL)
        return error_no_memory(error);
    size_t count = fill_page(list, found, wires, messages);
    Screening__V1__ListBookingsResponse response = SCREENING__V1__LIST_BOOKINGS_RESPONSE__INIT;
    response.bookings = messages;
    response.n_bookings = count;
    char token[PAGE_TOKEN_SIZE];
    if (found->count > count) {
        struct page_position last = {.id = found->bookings[count - 1]->booking_id};
        response.next_page_token = page_token_format(&last, list->query, token);
    }
    rpc_call_reply(list->call, &response.base);
    return STATUS_OK;
}

static void run_list(struct reader_task *task, struct db *db)
{
    struct list_task *list = container_of(task, struct list_task, task);
    struct arena *arena = rpc_call_arena(list->call);
    struct found found = {.arena = arena, .room = list->page_size + 1};
    struct error error;
    found.bookings = arena_alloc(arena, found.room * sizeof *found.bookings);
    enum status status = found.bookings != NULL ? STATUS_OK : error_no_memory(&error);
    if (status == STATUS_OK)
        status =
            store_list_bookings(db, &list->filter, &list->after, list->page_size + 1, keep, &found, &error);
    if (status == STATUS_OK)
        status = reply_list(list, &found, &error);
    if (status != STATUS_OK)
        fail(task, list->call, &error);
}

static enum status read_filter(const Screening__V1__ListBookingsRequest *input, struct booking_filter *filter,
                               struct error *error)
{
    bool by_customer = input->customer_id[0] != '\0', by_hospital = input->hospital_id[0] != '\0';
    if (by_customer == by_hospital)
        return error_set(error, STATUS_INVALID_ARGUMENT, NULL,
                         "customer_id: exactly one of customer_id and hospital_id must be given");
    enum status status =
        by_customer ? text_check_opaque("customer_id", input->customer_id, 1, CUSTOMER_ID_MAX, error)
                    : text_check_uuid("hospital_id", input->hospital_id, &filter->hospital_id, error);
    filter->customer_id = by_customer ? input->customer_id : NULL;
    filter->has_day = input->date[0] != '\0';
    if (status == STATUS_OK && filter->has_day)
        status = text_check_date("date", input->date, &filter->day, error);
    if (status == STATUS_OK && ((int)input->status < 0 || (int)input->status > BOOKING_FORCE_CANCELLED))
        status =
            error_set(error, STATUS_INVALID_ARGUMENT, NULL, "status: must be a status of a booking, 0 to 5");
    filter->status = (int)input->status;
    return status;
}

enum status reads_list_bookings(struct reader_pool *readers, const Screening__V1__ListBookingsRequest *input,
                                struct rpc_call *call, struct error *error)
{
    struct arena *arena = rpc_call_arena(call);
    struct list_task *list = arena_alloc(arena, sizeof *list);
    if (list == NULL)
        return error_no_memory(error);
    enum status status = read_filter(input, &list->filter, error);
    if (status == STATUS_OK)
        status = page_size_check(input->page_size, &list->page_size, error);
    if (status != STATUS_OK)
        return status;
    list->query = arena_printf(arena, "bookings/%s/%s/%s/%d", input->customer_id, input->hospital_id,
                               input->date, (int)input->status);
    if (list->query == NULL)
        return error_no_memory(error);
    struct page_position position = {0};
    if (input->page_token[0] != '\0')
        status = page_token_parse(input->page_token, list->query, &position, error);
    if (status != STATUS_OK)
        return status;
    list->after = position.id;
    list->call = call;
    list->task.item.source = rpc_call_source(call);
    list->task.deadline_ns = rpc_call_deadline_ns(call);
    list->task.run = run_list;
    list->task.refuse = refuse_list;
    return reader_pool_submit(readers, &list->task, error);
}
