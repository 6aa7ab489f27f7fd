#include "reads.h"

#include "api.h"
#include "store.h"
#include "wire.h"

#include <string.h>

#include "base/civil.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/page_token.h"
#include "base/text.h"

enum {
    CUSTOMER_ID_MAX = 64,
    ENTRIES_FIRST = 8,
    SCAN_MIN = 256 /* bookings read at a time if some may be skipped */
};

/* Returns whether the caller may see the booking. */
static bool is_visible(const struct rpc_call *call, const struct booking_row *booking)
{
    return auth_caller_may_see(rpc_call_caller(call), booking->message.customer_id, &booking->hospital_id);
}

/* ---- GetBookingHistory ---- */

struct get_read {
    struct handler_read base;
    struct uuid booking_id;
    struct booking_viewer viewer;
    Screening__V1__GetBookingHistoryResponse response;
    size_t room; /* capacity of response.entries */
};

static bool make_room(struct get_read *get, struct arena *arena)
{
    if (get->response.n_entries < get->room)
        return true;
    size_t room = get->room == 0 ? ENTRIES_FIRST : get->room * 2;
    Screening__V1__HistoryEntry **entries = arena_alloc(arena, room * sizeof(Screening__V1__HistoryEntry *));
    if (entries == NULL)
        return false;
    if (get->room > 0)
        memcpy(entries, get->response.entries, get->room * sizeof(Screening__V1__HistoryEntry *));
    get->response.entries = entries;
    get->room = room;
    return true;
}

static enum status take_entry(void *context, const struct summary_row *summary, const struct entry_row *entry)
{
    struct get_read *get = context;
    struct arena *arena = rpc_call_arena(get->base.call);
    if (!is_visible(get->base.call, &summary->booking))
        return STATUS_OK; /* the rule; the statement only saves the work of reading what is hidden */
    if (get->response.summary == NULL)
        get->response.summary = wire_summary(arena, summary);
    Screening__V1__HistoryEntry *message = wire_entry(arena, entry);
    if (get->response.summary == NULL || message == NULL || !make_room(get, arena))
        return STATUS_RESOURCE_EXHAUSTED;
    get->response.entries[get->response.n_entries++] = message;
    return STATUS_OK;
}

static enum status run_get(struct handler_read *base, struct db *db, struct error *error)
{
    struct get_read *get = container_of(base, struct get_read, base);
    TRY(store_load_history(db, &get->booking_id, &get->viewer, take_entry, get, error));
    if (get->response.summary == NULL)
        return error_set(error, STATUS_NOT_FOUND, NULL, "booking_id: there is no such booking");
    rpc_call_reply(base->call, &get->response.base);
    return STATUS_OK;
}

enum status reads_get_history(void *api, const void *request, struct rpc_call *call, struct error *error)
{
    const Screening__V1__GetBookingHistoryRequest *input = request;
    struct get_read *get = arena_alloc(rpc_call_arena(call), sizeof *get);
    if (get == NULL)
        return error_no_memory(error);
    TRY(text_check_uuid("booking_id", input->booking_id, &get->booking_id, error));
    TRY(store_viewer(rpc_call_caller(call), rpc_call_arena(call), &get->viewer, error));
    screening__v1__get_booking_history_response__init(&get->response);
    return handler_read(((struct history_api *)api)->readers, &get->base, run_get, call, error);
}

/* ---- ListCustomerHistory ---- */

struct list_read {
    struct handler_read base;
    struct customer_filter filter;
    const char *query;              /* the filter as text, to which page tokens are bound */
    struct customer_position after; /* the last booking that was examined */
    uint32_t page_size;
    bool scans; /* whether the caller may not see all bookings, so that some are skipped */
    size_t examined;
    Screening__V1__ListCustomerHistoryResponse response;
    struct page_room room;
    struct page_position last; /* position of the last booking on the page */
    bool more;                 /* whether more bookings follow the page */
};

static enum status take_summary(void *context, const struct summary_row *summary)
{
    struct list_read *list = context;
    if (list->more)
        return STATUS_OK;
    list->examined++;
    list->after = (struct customer_position){summary->booking.created_at_us, summary->booking.booking_id};
    if (!is_visible(list->base.call, &summary->booking))
        return STATUS_OK;
    Screening__V1__BookingSummary *message = wire_summary(rpc_call_arena(list->base.call), summary);
    if (message == NULL)
        return STATUS_RESOURCE_EXHAUSTED;
    if (list->response.n_bookings == list->page_size ||
        !page_room_take(&list->room, screening__v1__booking_summary__get_packed_size(message))) {
        list->more = true;
        return STATUS_OK;
    }
    list->response.bookings[list->response.n_bookings++] = message;
    list->last = (struct page_position){summary->booking.created_at_us, summary->booking.booking_id};
    return STATUS_OK;
}

static enum status run_list(struct handler_read *base, struct db *db, struct error *error)
{
    struct list_read *list = container_of(base, struct list_read, base);
    const uint32_t limit = list->page_size + 1 > SCAN_MIN || !list->scans ? list->page_size + 1 : SCAN_MIN;
    char token[PAGE_TOKEN_SIZE];
    list->response.bookings =
        arena_alloc(rpc_call_arena(base->call), list->page_size * sizeof(Screening__V1__BookingSummary *));
    if (list->response.bookings == NULL)
        return error_no_memory(error);
    do {
        struct customer_position after = list->after;
        list->examined = 0;
        TRY(store_list_customer(db, &list->filter, &after, limit, take_summary, list, error));
    } while (list->scans && !list->more && list->examined == limit &&
             clock_monotonic_ns() < rpc_call_deadline_ns(base->call));
    if (list->more)
        list->response.next_page_token = page_token_format(&list->last, list->query, token);
    rpc_call_reply(base->call, &list->response.base);
    return STATUS_OK;
}

/* Reads one end of a range of dates. If `text` is empty, uses the date `otherwise`. */
static enum status read_date(const char *field, const char *text, const char *otherwise, int32_t *day,
                             struct error *error)
{
    return text_check_date(field, text[0] != '\0' ? text : otherwise, day, error);
}

static enum status read_filter(const Screening__V1__ListCustomerHistoryRequest *input,
                               struct customer_filter *filter, struct error *error)
{
    TRY(text_check_opaque("customer_id", input->customer_id, 1, CUSTOMER_ID_MAX, error));
    if ((int)input->status < 0 || (int)input->status > SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED)
        return error_invalid(error, "status: must be a status of a booking, 0 to 5");
    TRY(read_date("from_date", input->from_date, "0001-01-01", &filter->from_day, error));
    TRY(read_date("to_date", input->to_date, "9999-12-31", &filter->to_day, error));
    if (filter->to_day < filter->from_day)
        return error_invalid(error, "to_date: must not be before from_date");
    filter->customer_id = input->customer_id;
    filter->status = (int)input->status;
    return STATUS_OK;
}

static enum status read_position(const Screening__V1__ListCustomerHistoryRequest *input, struct arena *arena,
                                 struct list_read *list, struct error *error)
{
    TRY(page_size_check(input->page_size, &list->page_size, error));
    list->query = arena_printf(arena, "customer/%s/%d/%s/%s", input->customer_id, (int)input->status,
                               input->from_date, input->to_date);
    if (list->query == NULL)
        return error_no_memory(error);
    struct page_position position = {.major = INT64_MAX}; /* sorts before the newest booking */
    memset(position.id.bytes, 0xff, sizeof position.id.bytes);
    if (input->page_token[0] != '\0')
        TRY(page_token_parse(input->page_token, list->query, &position, error));
    list->after = (struct customer_position){position.major, position.id};
    return STATUS_OK;
}

enum status reads_list_customer(void *api, const void *request, struct rpc_call *call, struct error *error)
{
    Screening__V1__ListCustomerHistoryRequest input =
        *(const Screening__V1__ListCustomerHistoryRequest *)request;
    const struct auth_caller *caller = rpc_call_caller(call);
    struct arena *arena = rpc_call_arena(call);
    struct list_read *list = arena_alloc(arena, sizeof *list);
    if (list == NULL)
        return error_no_memory(error);
    if ((caller->roles & (AUTH_STAFF | AUTH_ADMIN | AUTH_AUDITOR)) == 0)
        input.customer_id = (char *)(uintptr_t)caller->subject; /* a customer's own; only read */
    list->scans = (caller->roles & (AUTH_STAFF | AUTH_ADMIN | AUTH_AUDITOR)) == AUTH_STAFF;
    TRY(read_filter(&input, &list->filter, error));
    TRY(read_position(&input, arena, list, error));
    screening__v1__list_customer_history_response__init(&list->response);
    page_room_init(&list->room, rpc_call_response_max_bytes(call));
    return handler_read(((struct history_api *)api)->readers, &list->base, run_list, call, error);
}
