#include "reads.h"

#include "api.h"
#include "store_reads.h"
#include "wire.h"

#include "base/civil.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/page_token.h"
#include "base/text.h"

#include "screening/v1/words.h"

/* Allocated in the call's arena, and freed when the call is answered. */
struct read {
    struct handler_read base;
    struct arena *arena;
    int32_t today;
    union {
        struct uuid hospital_id;
        struct availability_wanted availability;
        struct list_wanted list;
        struct store_live reservations;
    } wanted;
    struct wire_list found;    /* days, hospitals or reservations */
    struct page_room room;     /* for lists: the number of bytes that still fit on the page */
    struct page_position page; /* the next page's first hospital, or this page's last reservation */
    bool more;                 /* whether another page follows */
};

/* Creates a read. Returns NULL when out of memory. */
static struct read *create_read(struct rpc_call *call)
{
    struct arena *arena = rpc_call_arena(call);
    struct read *read = arena_alloc(arena, sizeof *read);
    if (read == NULL)
        return NULL;
    read->arena = arena;
    read->today = civil_day_at(clock_now_us());
    page_room_init(&read->room, rpc_call_response_max_bytes(call));
    return read;
}

/* Submits a read if `status`, the result of validating the request, is OK. Otherwise returns `status`. */
static enum status submit(struct hospital_api *api, struct read *read, enum status status,
                          enum status (*run)(struct handler_read *read, struct db *db, struct error *error),
                          struct rpc_call *call, struct error *error)
{
    return status == STATUS_OK ? handler_read(api->readers, &read->base, run, call, error) : status;
}

static enum status take_day(void *context, const struct screening_day *day)
{
    struct read *read = context;
    return wire_append(read->arena, &read->found, wire_day(read->arena, day)) ? STATUS_OK
                                                                              : STATUS_RESOURCE_EXHAUSTED;
}

static enum status find_hospital(struct read *read, struct db *db, const struct uuid *id,
                                 struct hospital *out, struct error *error)
{
    TRY(store_read_hospital(db, id, read->arena, out, error));
    if (out->state == HOSPITAL_NONE) {
        char text[UUID_TEXT_SIZE];
        return error_set(error, STATUS_NOT_FOUND, NULL, "hospital_id: no hospital %s", uuid_format(id, text));
    }
    return STATUS_OK;
}

/* ---- GetHospital, which also returns deleted hospitals with their days ---- */

static enum status run_get(struct handler_read *base, struct db *db, struct error *error)
{
    struct read *read = container_of(base, struct read, base);
    struct hospital hospital;
    TRY(find_hospital(read, db, &read->wanted.hospital_id, &hospital, error));
    TRY(store_read_days(db, &hospital.id, read->today, STORE_DATE_LAST, take_day, read, error));
    Screening__V1__Hospital *answer = wire_hospital(read->arena, &hospital);
    if (answer == NULL)
        return error_no_memory(error);
    wire_set_days(answer, &read->found);
    rpc_call_reply(base->call, &answer->base);
    return STATUS_OK;
}

enum status reads_get_hospital(void *api, const void *request, struct rpc_call *call, struct error *error)
{
    const Screening__V1__GetHospitalRequest *input = request;
    struct read *read = create_read(call);
    if (read == NULL)
        return error_no_memory(error);
    enum status status = wire_read_hospital_id(input->hospital_id, &read->wanted.hospital_id, error);
    return submit(api, read, status, run_get, call, error);
}

/* ---- GetAvailability, which refuses a deleted hospital instead of returning an empty list ---- */

static enum status run_availability(struct handler_read *base, struct db *db, struct error *error)
{
    struct read *read = container_of(base, struct read, base);
    const struct availability_wanted *wanted = &read->wanted.availability;
    struct hospital hospital;
    TRY(find_hospital(read, db, &wanted->hospital_id, &hospital, error));
    if (hospital.state == HOSPITAL_DELETED)
        return error_set(error, STATUS_FAILED_PRECONDITION, SCREENING_REASON_HOSPITAL_DELETED,
                         "the hospital is deleted");
    TRY(store_read_days(db, &hospital.id, wanted->from, wanted->to, take_day, read, error));
    Screening__V1__GetAvailabilityResponse answer = SCREENING__V1__GET_AVAILABILITY_RESPONSE__INIT;
    answer.days = (Screening__V1__ScreeningDay **)read->found.items;
    answer.n_days = read->found.count;
    rpc_call_reply(base->call, &answer.base);
    return STATUS_OK;
}

enum status reads_get_availability(void *api, const void *request, struct rpc_call *call, struct error *error)
{
    struct read *read = create_read(call);
    if (read == NULL)
        return error_no_memory(error);
    enum status status = wire_read_availability(request, read->today, &read->wanted.availability, error);
    return submit(api, read, status, run_availability, call, error);
}

/* ---- ListHospitals ---- */

static Screening__V1__Hospital *wire_listed(struct arena *arena, const struct hospital *hospital,
                                            const struct screening_day *day)
{
    struct hospital kept = *hospital; /* the strings belong to the row */
    kept.name = arena_strdup(arena, hospital->name);
    kept.address = arena_strdup(arena, hospital->address);
    if (kept.name == NULL || kept.address == NULL)
        return NULL;
    Screening__V1__Hospital *message = wire_hospital(arena, &kept);
    struct wire_list days = {0};
    if (message == NULL || (day != NULL && !wire_append(arena, &days, wire_day(arena, day))))
        return NULL;
    wire_set_days(message, &days);
    return message;
}

/*
 * Adds one row of the query to the page. The next page starts with the first hospital that does not fit. To
 * find it, the query returns up to one row more than page_size.
 */
static enum status take_hospital(void *context, const struct hospital *hospital,
                                 const struct screening_day *day)
{
    struct read *read = context;
    if (read->more)
        return STATUS_OK;
    Screening__V1__Hospital *message = wire_listed(read->arena, hospital, day);
    if (message == NULL)
        return STATUS_RESOURCE_EXHAUSTED;
    if (read->found.count == read->wanted.list.page_size ||
        !page_room_take(&read->room, screening__v1__hospital__get_packed_size(message))) {
        read->page.id = hospital->id;
        read->more = true;
        return STATUS_OK;
    }
    return wire_append(read->arena, &read->found, message) ? STATUS_OK : STATUS_RESOURCE_EXHAUSTED;
}

static enum status run_list(struct handler_read *base, struct db *db, struct error *error)
{
    struct read *read = container_of(base, struct read, base);
    const struct list_wanted *wanted = &read->wanted.list;
    const struct store_list list = {.first_id = wanted->first_id,
                                    .name_contains = wanted->name_contains,
                                    .decomposed = wanted->decomposed,
                                    .as_sent = wanted->as_sent,
                                    .include_deleted = wanted->include_deleted,
                                    .on_date = wanted->on_date,
                                    .date = wanted->date,
                                    .max = wanted->page_size + 1};
    TRY(store_list_hospitals(db, &list, take_hospital, read, error));
    char token[PAGE_TOKEN_SIZE] = "";
    Screening__V1__ListHospitalsResponse answer = SCREENING__V1__LIST_HOSPITALS_RESPONSE__INIT;
    answer.hospitals = (Screening__V1__Hospital **)read->found.items;
    answer.n_hospitals = read->found.count;
    answer.next_page_token = read->more ? page_token_format(&read->page, wanted->query, token) : token;
    rpc_call_reply(base->call, &answer.base);
    return STATUS_OK;
}

enum status reads_list_hospitals(void *api, const void *request, struct rpc_call *call, struct error *error)
{
    struct read *read = create_read(call);
    if (read == NULL)
        return error_no_memory(error);
    enum status status = wire_read_list(request, read->arena, &read->wanted.list, error);
    return submit(api, read, status, run_list, call, error);
}

/* ---- ListReservations, which lists live reservations in order of booking_id, for an operator ---- */

/* The query text of a page token is constant, because the list has no filter. */
static const char RESERVATIONS[] = "reservations";

static Screening__V1__Reservation *wire_reservation(struct arena *arena,
                                                    const struct reservation *reservation)
{
    Screening__V1__Reservation *message = arena_alloc(arena, sizeof *message);
    char *booking_id = arena_alloc(arena, UUID_TEXT_SIZE), *hospital_id = arena_alloc(arena, UUID_TEXT_SIZE);
    char *date = arena_alloc(arena, CIVIL_TEXT_SIZE);
    if (message == NULL || booking_id == NULL || hospital_id == NULL || date == NULL)
        return NULL;
    screening__v1__reservation__init(message);
    message->booking_id = uuid_format(&reservation->booking_id, booking_id);
    message->hospital_id = uuid_format(&reservation->hospital_id, hospital_id);
    message->date = civil_format(reservation->date, date);
    message->headcount = reservation->headcount;
    return message;
}

/*
 * Adds one row of the query to the page. The query returns up to one row more than fits, which shows whether
 * there is another page.
 */
static enum status take_reservation(void *context, const struct reservation *reservation)
{
    struct read *read = context;
    if (read->more)
        return STATUS_OK;
    Screening__V1__Reservation *message = wire_reservation(read->arena, reservation);
    if (message == NULL)
        return STATUS_RESOURCE_EXHAUSTED;
    if (read->found.count + 1 == read->wanted.reservations.max ||
        !page_room_take(&read->room, screening__v1__reservation__get_packed_size(message))) {
        read->more = true;
        return STATUS_OK;
    }
    read->page.id = reservation->booking_id;
    return wire_append(read->arena, &read->found, message) ? STATUS_OK : STATUS_RESOURCE_EXHAUSTED;
}

static enum status run_reservations(struct handler_read *base, struct db *db, struct error *error)
{
    struct read *read = container_of(base, struct read, base);
    const struct store_live *wanted = &read->wanted.reservations;
    TRY(store_list_reservations(db, wanted, take_reservation, read, error));
    char token[PAGE_TOKEN_SIZE] = "";
    Screening__V1__ListReservationsResponse answer = SCREENING__V1__LIST_RESERVATIONS_RESPONSE__INIT;
    answer.reservations = (Screening__V1__Reservation **)read->found.items;
    answer.n_reservations = read->found.count;
    answer.next_page_token = read->more ? page_token_format(&read->page, RESERVATIONS, token) : token;
    rpc_call_reply(base->call, &answer.base);
    return STATUS_OK;
}

static enum status read_ids(const Screening__V1__ListReservationsRequest *request, struct arena *arena,
                            struct store_live *wanted, struct error *error)
{
    const size_t count = request->n_booking_ids;
    if (count > RESERVATION_IDS_MAX)
        return error_invalid(error, "booking_ids: must be at most %d", RESERVATION_IDS_MAX);
    struct uuid *ids = arena_alloc(arena, count * sizeof *ids);
    if (ids == NULL)
        return error_no_memory(error);
    for (size_t i = 0; i < count; i++)
        TRY(text_check_uuid("booking_ids", request->booking_ids[i], &ids[i], error));
    wanted->ids = ids;
    wanted->id_count = count;
    return STATUS_OK;
}

/* Reads the request. If it has ids, page_size does not limit the page. */
static enum status read_reservations(const Screening__V1__ListReservationsRequest *request,
                                     struct arena *arena, struct store_live *wanted, struct error *error)
{
    uint32_t page_size = 0;
    struct page_position position = {0};
    TRY(page_size_check(request->page_size, &page_size, error));
    if (request->page_token[0] != '\0')
        TRY(page_token_parse(request->page_token, RESERVATIONS, &position, error));
    TRY(read_ids(request, arena, wanted, error));
    wanted->after = position.id;
    wanted->max = (wanted->id_count > 0 ? RESERVATION_IDS_MAX : page_size) + 1;
    return STATUS_OK;
}

enum status reads_list_reservations(void *api, const void *request, struct rpc_call *call,
                                    struct error *error)
{
    struct read *read = create_read(call);
    if (read == NULL)
        return error_no_memory(error);
    enum status status = read_reservations(request, read->arena, &read->wanted.reservations, error);
    return submit(api, read, status, run_reservations, call, error);
}
