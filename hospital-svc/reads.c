#include "reads.h"

#include "request.h"
#include "respond.h"
#include "store_read.h"

#include "base/civil.h"
#include "base/clock.h"
#include "base/page_token.h"

/* Allocated in the call's arena, and freed when the call is answered. */
struct read_task {
    struct reader_task base;
    struct rpc_call *call;
    struct arena *arena;
    int32_t today;
    union {
        struct uuid hospital_id;
        struct availability_wanted availability;
        struct list_wanted list;
    } wanted;
    struct respond_list found;   /* days, or hospitals */
    struct page_room room;       /* for lists, as are the fields below */
    struct page_position behind; /* the first hospital of the next page */
    bool more;
};

static void fail(struct read_task *task, const struct error *cause)
{
    struct error told;
    reader_task_explain(&task->base, cause, rpc_call_request_id(task->call), &told);
    rpc_call_fail(task->call, &told);
}

static void refuse(struct reader_task *base, const struct error *error)
{
    rpc_call_fail(container_of(base, struct read_task, base)->call, error);
}

static struct read_task *create_task(struct rpc_call *call, void (*run)(struct reader_task *, struct db *))
{
    struct arena *arena = rpc_call_arena(call);
    struct read_task *task = arena_alloc(arena, sizeof *task);
    if (task == NULL) {
        struct error error;
        (void)error_no_memory(&error);
        rpc_call_fail(call, &error);
        return NULL;
    }
    task->base.item.source = rpc_call_source(call);
    task->base.deadline_ns = rpc_call_deadline_ns(call);
    task->base.run = run;
    task->base.refuse = refuse;
    task->call = call;
    task->arena = arena;
    task->today = civil_day_at(clock_now_us());
    return task;
}

/* `status` is the result of validating the request. */
static void submit(struct reader_pool *readers, struct read_task *task, enum status status,
                   struct error *error)
{
    if (status == STATUS_OK)
        status = reader_pool_submit(readers, &task->base, error);
    if (status != STATUS_OK)
        rpc_call_fail(task->call, error);
}

static enum status take_day(void *context, const struct screening_day *day)
{
    struct read_task *task = context;
    return respond_append(task->arena, &task->found, respond_day(task->arena, day))
               ? STATUS_OK
               : STATUS_RESOURCE_EXHAUSTED;
}

static enum status find_hospital(struct read_task *task, struct db *db, const struct uuid *id,
                                 struct hospital *out, struct error *error)
{
    enum status status = store_read_hospital(db, id, task->arena, out, error);
    if (status == STATUS_OK && out->state == HOSPITAL_NONE) {
        char text[UUID_TEXT_SIZE];
        return error_set(error, STATUS_NOT_FOUND, NULL, "hospital_id: no hospital %s", uuid_format(id, text));
    }
    return status;
}

/* ---- GetHospital: includes deleted hospitals, with their days ---- */

static void run_get(struct reader_task *base, struct db *db)
{
    struct read_task *task = container_of(base, struct read_task, base);
    struct hospital hospital;
    struct error error = {0};
    enum status status = find_hospital(task, db, &task->wanted.hospital_id, &hospital, &error);
    if (status == STATUS_OK)
        status = store_read_days(db, &hospital.id, task->today, STORE_DATE_LAST, take_day, task, &error);
    Screening__V1__Hospital *answer = status == STATUS_OK ? respond_hospital(task->arena, &hospital) : NULL;
    if (status == STATUS_OK && answer == NULL)
        status = error_no_memory(&error);
    if (status != STATUS_OK) {
        fail(task, &error);
        return;
    }
    respond_set_days(answer, &task->found);
    rpc_call_reply(task->call, &answer->base);
}

void reads_get_hospital(struct reader_pool *readers, const Screening__V1__GetHospitalRequest *request,
                        struct rpc_call *call)
{
    struct read_task *task = create_task(call, run_get);
    if (task != NULL) {
        struct error error = {0};
        submit(readers, task, request_hospital_id(request->hospital_id, &task->wanted.hospital_id, &error),
               &error);
    }
}

/* ---- GetAvailability: refused for a deleted hospital, rather than answered with an empty list ---- */

static void run_availability(struct reader_task *base, struct db *db)
{
    struct read_task *task = container_of(base, struct read_task, base);
    const struct availability_wanted *wanted = &task->wanted.availability;
    struct hospital hospital;
    struct error error = {0};
    enum status status = find_hospital(task, db, &wanted->hospital_id, &hospital, &error);
    if (status == STATUS_OK && hospital.state == HOSPITAL_DELETED)
        status = error_set(&error, STATUS_FAILED_PRECONDITION, "HOSPITAL_DELETED", "the hospital is deleted");
    if (status == STATUS_OK)
        status = store_read_days(db, &hospital.id, wanted->from, wanted->to, take_day, task, &error);
    if (status != STATUS_OK) {
        fail(task, &error);
        return;
    }
    Screening__V1__GetAvailabilityResponse answer = SCREENING__V1__GET_AVAILABILITY_RESPONSE__INIT;
    answer.days = (Screening__V1__ScreeningDay **)task->found.items;
    answer.n_days = task->found.count;
    rpc_call_reply(task->call, &answer.base);
}

void reads_get_availability(struct reader_pool *readers, const Screening__V1__GetAvailabilityRequest *request,
                            struct rpc_call *call)
{
    struct read_task *task = create_task(call, run_availability);
    if (task != NULL) {
        struct error error = {0};
        submit(readers, task, request_availability(request, task->today, &task->wanted.availability, &error),
               &error);
    }
}

/* ---- ListHospitals ---- */

static Screening__V1__Hospital *respond_listed(struct arena *arena, const struct hospital *hospital,
                                               const struct screening_day *day)
{
    struct hospital kept = *hospital; /* its strings are owned by the row */
    kept.name = arena_strdup(arena, hospital->name);
    kept.address = arena_strdup(arena, hospital->address);
    if (kept.name == NULL || kept.address == NULL)
        return NULL;
    Screening__V1__Hospital *message = respond_hospital(arena, &kept);
    struct respond_list days = {0};
    if (message == NULL || (day != NULL && !respond_append(arena, &days, respond_day(arena, day))))
        return NULL;
    respond_set_days(message, &days);
    return message;
}

/* The query returns one row more than fits on the page; that row is where the next page starts. */
static enum status take_hospital(void *context, const struct hospital *hospital,
                                 const struct screening_day *day)
{
    struct read_task *task = context;
    if (task->more)
        return STATUS_OK;
    Screening__V1__Hospital *message = respond_listed(task->arena, hospital, day);
    if (message == NULL)
        return STATUS_RESOURCE_EXHAUSTED;
    if (task->found.count == task->wanted.list.page_size ||
        !page_room_take(&task->room, screening__v1__hospital__get_packed_size(message))) {
        task->behind.id = hospital->id;
        task->more = true;
        return STATUS_OK;
    }
    return respond_append(task->arena, &task->found, message) ? STATUS_OK : STATUS_RESOURCE_EXHAUSTED;
}

static void run_list(struct reader_task *base, struct db *db)
{
    struct read_task *task = container_of(base, struct read_task, base);
    const struct list_wanted *wanted = &task->wanted.list;
    const struct store_list list = {.first_id = wanted->first_id,
                                    .name_contains = wanted->name_contains,
                                    .decomposed = wanted->decomposed,
                                    .as_sent = wanted->as_sent,
                                    .include_deleted = wanted->include_deleted,
                                    .on_date = wanted->on_date,
                                    .date = wanted->date,
                                    .max = wanted->page_size + 1};
    struct error error = {0};
    page_room_init(&task->room, rpc_call_response_max_bytes(task->call));
    enum status status = store_list_hospitals(db, &list, take_hospital, task, &error);
    if (status != STATUS_OK) {
        fail(task, &error);
        return;
    }
    char token[PAGE_TOKEN_SIZE] = "";
    Screening__V1__ListHospitalsResponse answer = SCREENING__V1__LIST_HOSPITALS_RESPONSE__INIT;
    answer.hospitals = (Screening__V1__Hospital **)task->found.items;
    answer.n_hospitals = task->found.count;
    answer.next_page_token = task->more ? page_token_format(&task->behind, wanted->query, token) : token;
    rpc_call_reply(task->call, &answer.base);
}

void reads_list_hospitals(struct reader_pool *readers, const Screening__V1__ListHospitalsRequest *request,
                          struct rpc_call *call)
{
    struct read_task *task = create_task(call, run_list);
    if (task != NULL) {
        struct error error = {0};
        submit(readers, task, request_list(request, task->arena, &task->wanted.list, &error), &error);
    }
}
