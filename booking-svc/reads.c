#include "reads.h"

#include "api.h"
#include "store.h"
#include "wire.h"

#include <string.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/map.h"
#include "base/page_token.h"
#include "base/text.h"

#include "screening/v1/words.h"

enum { CUSTOMER_ID_MAX = 64, SCAN_MIN = 256 /* bookings read at a time if some may be skipped */ };

/* The bookings that a read has found. */
struct found {
    struct arena *arena;
    const struct auth_caller *caller;
    const struct booking **bookings; /* only those that the caller may see */
    size_t count, room;
    size_t examined;  /* the number of bookings that were looked at */
    struct uuid last; /* the last one of these */
};

static enum status keep(void *context, const struct booking *booking)
{
    struct found *found = context;
    found->examined++;
    found->last = booking->booking_id;
    if (found->count == found->room || !booking_is_visible(booking, found->caller))
        return STATUS_OK;
    found->bookings[found->count] = store_copy_booking(found->arena, booking);
    return found->bookings[found->count++] != NULL ? STATUS_OK : STATUS_RESOURCE_EXHAUSTED;
}

/* ---- GetBooking ---- */

struct get_read {
    struct handler_read base;
    struct uuid booking_id;
};

static enum status run_get(struct handler_read *base, struct db *db, struct error *error)
{
    struct get_read *get = container_of(base, struct get_read, base);
    const struct booking *booking = NULL;
    struct found found = {.arena = rpc_call_arena(base->call),
                          .caller = rpc_call_caller(base->call),
                          .bookings = &booking,
                          .room = 1};
    TRY(store_load_bookings(db, &get->booking_id, 1, keep, &found, error));
    if (booking == NULL)
        return booking_not_found(error);
    struct booking_wire wire;
    rpc_call_reply(base->call, &booking_wire_fill(&wire, booking)->base);
    return STATUS_OK;
}

enum status reads_get_booking(void *api, const void *request, struct rpc_call *call, struct error *error)
{
    const Screening__V1__GetBookingRequest *input = request;
    struct get_read *get = arena_alloc(rpc_call_arena(call), sizeof *get);
    if (get == NULL)
        return error_no_memory(error);
    TRY(text_check_uuid("booking_id", input->booking_id, &get->booking_id, error));
    return handler_read(((struct booking_api *)api)->readers, &get->base, run_get, call, error);
}

/* ---- ListBookings ---- */

struct list_read {
    struct handler_read base;
    struct booking_filter filter;
    const char *query; /* the filter as text, to which page tokens are bound */
    struct uuid after;
    uint32_t page_size;
    bool scans; /* whether the list may contain bookings that the caller may not see, which are skipped */
};

/*
 * Fills the page with as many bookings as page_size and the size limit of an answer allow. Returns their
 * number.
 */
static size_t fill_page(const struct list_read *list, const struct found *found, struct booking_wire *wires,
                        Screening__V1__Booking **messages)
{
    struct page_room room;
    page_room_init(&room, rpc_call_response_max_bytes(list->base.call));
    size_t count = 0;
    for (; count < found->count && count < list->page_size; count++) {
        messages[count] = (Screening__V1__Booking *)booking_wire_fill(&wires[count], found->bookings[count]);
        if (!page_room_take(&room, screening__v1__booking__get_packed_size(messages[count])))
            break;
    }
    return count;
}

static enum status reply_list(struct list_read *list, const struct found *found, struct error *error)
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
    rpc_call_reply(list->base.call, &response.base);
    return STATUS_OK;
}

static enum status run_list(struct handler_read *base, struct db *db, struct error *error)
{
    struct list_read *list = container_of(base, struct list_read, base);
    struct arena *arena = rpc_call_arena(base->call);
    const uint32_t limit = list->page_size + 1 > SCAN_MIN || !list->scans ? list->page_size + 1 : SCAN_MIN;
    struct found found = {.arena = arena,
                          .caller = rpc_call_caller(base->call),
                          .room = list->page_size + 1,
                          .last = list->after};
    found.bookings = arena_alloc(arena, found.room * sizeof *found.bookings);
    if (found.bookings == NULL)
        return error_no_memory(error);
    do {
        struct uuid after = found.last;
        found.examined = 0;
        TRY(store_list_bookings(db, &list->filter, &after, limit, keep, &found, error));
    } while (list->scans && found.count < found.room && found.examined == limit &&
             clock_monotonic_ns() < rpc_call_deadline_ns(base->call));
    return reply_list(list, &found, error);
}

/*
 * Decides which list the caller gets. A customer's list by customer is always their own, whatever the request
 * says. Staff get the lists of their hospitals, and of a customer's bookings those at their hospitals.
 */
static enum status choose_list(const struct auth_caller *caller, Screening__V1__ListBookingsRequest *input,
                               struct error *error)
{
    struct uuid hospital_id;
    if ((caller->roles & (AUTH_ADMIN | AUTH_AUDITOR)) != 0)
        return STATUS_OK;
    if (input->hospital_id[0] == '\0') {
        if ((caller->roles & AUTH_STAFF) == 0)
            input->customer_id = (char *)(uintptr_t)caller->subject; /* only read */
        return STATUS_OK;
    }
    TRY(text_check_uuid("hospital_id", input->hospital_id, &hospital_id, error));
    if (auth_caller_has_scope(caller, &hospital_id))
        return STATUS_OK;
    return error_set(error, STATUS_PERMISSION_DENIED, SCREENING_REASON_NOT_PERMITTED,
                     "hospital_id: is not a hospital of this caller");
}

/* Returns whether the caller sees only the bookings at its hospitals. */
static bool sees_a_part(const struct auth_caller *caller)
{
    return (caller->roles & (AUTH_STAFF | AUTH_ADMIN | AUTH_AUDITOR)) == AUTH_STAFF;
}

static enum status read_filter(const Screening__V1__ListBookingsRequest *input, struct booking_filter *filter,
                               struct error *error)
{
    bool by_customer = input->customer_id[0] != '\0', by_hospital = input->hospital_id[0] != '\0';
    if (by_customer == by_hospital)
        return error_invalid(error, "customer_id: exactly one of customer_id and hospital_id must be given");
    TRY(by_customer ? text_check_opaque("customer_id", input->customer_id, 1, CUSTOMER_ID_MAX, error)
                    : text_check_uuid("hospital_id", input->hospital_id, &filter->hospital_id, error));
    filter->customer_id = by_customer ? input->customer_id : NULL;
    filter->has_day = input->date[0] != '\0';
    if (filter->has_day)
        TRY(text_check_date("date", input->date, &filter->day, error));
    if ((int)input->status < 0 || (int)input->status > SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED)
        return error_invalid(error, "status: must be a status of a booking, 0 to 5");
    filter->status = (int)input->status;
    return STATUS_OK;
}

enum status reads_list_bookings(void *api, const void *request, struct rpc_call *call, struct error *error)
{
    Screening__V1__ListBookingsRequest input = *(const Screening__V1__ListBookingsRequest *)request;
    struct arena *arena = rpc_call_arena(call);
    struct list_read *list = arena_alloc(arena, sizeof *list);
    if (list == NULL)
        return error_no_memory(error);
    TRY(choose_list(rpc_call_caller(call), &input, error));
    TRY(read_filter(&input, &list->filter, error));
    TRY(page_size_check(input.page_size, &list->page_size, error));
    list->scans = list->filter.customer_id != NULL && sees_a_part(rpc_call_caller(call));
    list->query = arena_printf(arena, "bookings/%s/%s/%s/%d", input.customer_id, input.hospital_id,
                               input.date, (int)input.status);
    if (list->query == NULL)
        return error_no_memory(error);
    struct page_position position = {0};
    if (input.page_token[0] != '\0')
        TRY(page_token_parse(input.page_token, list->query, &position, error));
    list->after = position.id;
    return handler_read(((struct booking_api *)api)->readers, &list->base, run_list, call, error);
}

/* ---- LookUpBookings, for an operator after a restore ---- */

struct look_up {
    struct handler_read base;
    struct uuid *ids;
    Screening__V1__BookingState *states; /* one per id, in the same order */
    Screening__V1__BookingState **pointers;
    size_t count;
    struct map by_id; /* used by find_states: the first state for each id */
};

static enum status take_state(void *context, const struct booking *booking)
{
    struct look_up *look_up = context;
    Screening__V1__BookingState *state = map_get(&look_up->by_id, &booking->booking_id);
    if (state != NULL)
        state->status = booking->status;
    return STATUS_OK;
}

/* Sets the state of each id. An id that occurs twice in the request is answered twice. */
static enum status find_states(struct look_up *look_up, struct db *db, struct error *error)
{
    for (size_t i = 0; i < look_up->count; i++)
        if (map_get(&look_up->by_id, &look_up->ids[i]) == NULL &&
            map_put(&look_up->by_id, &look_up->ids[i], &look_up->states[i]) != STATUS_OK)
            return error_no_memory(error);
    TRY(store_load_bookings(db, look_up->ids, look_up->count, take_state, look_up, error));
    for (size_t i = 0; i < look_up->count; i++) {
        const Screening__V1__BookingState *first = map_get(&look_up->by_id, &look_up->ids[i]);
        look_up->states[i].status = first->status;
    }
    return STATUS_OK;
}

static enum status run_look_up(struct handler_read *base, struct db *db, struct error *error)
{
    struct look_up *look_up = container_of(base, struct look_up, base);
    map_init(&look_up->by_id, sizeof(struct uuid));
    enum status status = find_states(look_up, db, error);
    map_fini(&look_up->by_id);
    TRY(status);
    Screening__V1__LookUpBookingsResponse response = SCREENING__V1__LOOK_UP_BOOKINGS_RESPONSE__INIT;
    response.bookings = look_up->pointers;
    response.n_bookings = look_up->count;
    rpc_call_reply(base->call, &response.base);
    return STATUS_OK;
}

static enum status read_ids(const Screening__V1__LookUpBookingsRequest *input, struct look_up *look_up,
                            struct error *error)
{
    for (size_t i = 0; i < look_up->count; i++) {
        TRY(text_check_uuid("booking_ids", input->booking_ids[i], &look_up->ids[i], error));
        screening__v1__booking_state__init(&look_up->states[i]);
        look_up->states[i].booking_id = input->booking_ids[i];
        look_up->pointers[i] = &look_up->states[i];
    }
    return STATUS_OK;
}

enum status reads_look_up_bookings(void *api, const void *request, struct rpc_call *call, struct error *error)
{
    const Screening__V1__LookUpBookingsRequest *input = request;
    const size_t count = input->n_booking_ids;
    if (count < 1 || count > LOOK_UP_IDS_MAX)
        return error_invalid(error, "booking_ids: must be 1 to %d", LOOK_UP_IDS_MAX);
    struct arena *arena = rpc_call_arena(call);
    struct look_up *look_up = arena_alloc(arena, sizeof *look_up);
    if (look_up == NULL)
        return error_no_memory(error);
    look_up->ids = arena_alloc(arena, count * sizeof *look_up->ids);
    look_up->states = arena_alloc(arena, count * sizeof *look_up->states);
    look_up->pointers = arena_alloc(arena, count * sizeof(Screening__V1__BookingState *));
    if (look_up->ids == NULL || look_up->states == NULL || look_up->pointers == NULL)
        return error_no_memory(error);
    look_up->count = count;
    TRY(read_ids(input, look_up, error));
    return handler_read(((struct booking_api *)api)->readers, &look_up->base, run_look_up, call, error);
}
