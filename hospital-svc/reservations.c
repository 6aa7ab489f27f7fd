#include "reservations.h"

#include "respond.h"
#include "store_read.h"

#include "base/civil.h"
#include "base/page_token.h"
#include "base/text.h"

/* The list has no filter to tie a token to. */
static const char QUERY[] = "reservations";

/* Allocated in the call's arena, and freed when the call is answered. */
struct list_task {
    struct reader_task base;
    struct rpc_call *call;
    struct arena *arena;
    struct store_live wanted;
    struct respond_list found;
    struct page_room room;
    struct uuid last; /* of the page */
    bool more;
};

static void refuse(struct reader_task *base, const struct error *error)
{
    rpc_call_fail(container_of(base, struct list_task, base)->call, error);
}

static Screening__V1__Reservation *respond_reservation(struct arena *arena,
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

/* The query returns one row more than fits on the page, which shows whether there is another page. */
static enum status take(void *context, const struct reservation *reservation)
{
    struct list_task *task = context;
    if (task->more)
        return STATUS_OK;
    Screening__V1__Reservation *message = respond_reservation(task->arena, reservation);
    if (message == NULL)
        return STATUS_RESOURCE_EXHAUSTED;
    if (task->found.count + 1 == task->wanted.max ||
        !page_room_take(&task->room, screening__v1__reservation__get_packed_size(message))) {
        task->more = true;
        return STATUS_OK;
    }
    task->last = reservation->booking_id;
    return respond_append(task->arena, &task->found, message) ? STATUS_OK : STATUS_RESOURCE_EXHAUSTED;
}

static void run(struct reader_task *base, struct db *db)
{
    struct list_task *task = container_of(base, struct list_task, base);
    struct error error = {0};
    page_room_init(&task->room, rpc_call_response_max_bytes(task->call));
    if (store_list_reservations(db, &task->wanted, take, task, &error) != STATUS_OK) {
        struct error told;
        reader_task_explain(base, &error, rpc_call_request_id(task->call), &told);
        rpc_call_fail(task->call, &told);
        return;
    }
    char token[PAGE_TOKEN_SIZE] = "";
    const struct page_position last = {.id = task->last};
    Screening__V1__ListReservationsResponse answer = SCREENING__V1__LIST_RESERVATIONS_RESPONSE__INIT;
    answer.reservations = (Screening__V1__Reservation **)task->found.items;
    answer.n_reservations = task->found.count;
    answer.next_page_token = task->more ? page_token_format(&last, QUERY, token) : token;
    rpc_call_reply(task->call, &answer.base);
}

static enum status read_ids(const Screening__V1__ListReservationsRequest *request, struct arena *arena,
                            struct store_live *wanted, struct error *error)
{
    const size_t count = request->n_booking_ids;
    if (count > RESERVATION_IDS_MAX) {
        return error_set(error, STATUS_INVALID_ARGUMENT, NULL, "booking_ids: must be at most %d",
                         RESERVATION_IDS_MAX);
    }
    struct uuid *ids = arena_alloc(arena, count * sizeof *ids);
    if (ids == NULL)
        return error_no_memory(error);
    for (size_t i = 0; i < count; i++) {
        enum status status = text_check_uuid("booking_ids", request->booking_ids[i], &ids[i], error);
        if (status != STATUS_OK)
            return status;
    }
    wanted->ids = ids;
    wanted->id_count = count;
    return STATUS_OK;
}

/* All ids fit on one page, whatever page_size is requested. */
static enum status read_request(const Screening__V1__ListReservationsRequest *request, struct arena *arena,
                                struct store_live *wanted, struct error *error)
{
    uint32_t page_size = 0;
    struct page_position position = {0};
    enum status status = page_size_check(request->page_size, &page_size, error);
    if (status == STATUS_OK && request->page_token[0] != '\0')
        status = page_token_parse(request->page_token, QUERY, &position, error);
    if (status == STATUS_OK)
        status = read_ids(request, arena, wanted, error);
    wanted->after = position.id;
    wanted->max = (wanted->id_count > 0 ? RESERVATION_IDS_MAX : page_size) + 1;
    return status;
}

void reservations_list(struct reader_pool *readers, const Screening__V1__ListReservationsRequest *request,
                       struct rpc_call *call)
{
    struct error error = {0};
    struct arena *arena = rpc_call_arena(call);
    struct list_task *task = arena_alloc(arena, sizeof *task);
    enum status status =
        task != NULL ? read_request(request, arena, &task->wanted, &error) : error_no_memory(&error);
    if (status == STATUS_OK) {
        task->base.item.source = rpc_call_source(call);
        task->base.deadline_ns = rpc_call_deadline_ns(call);
        task->base.run = run;
        task->base.refuse = refuse;
        task->call = call;
        task->arena = arena;
        status = reader_pool_submit(readers, &task->base, &error);
    }
    if (status != STATUS_OK)
        rpc_call_fail(call, &error);
}
