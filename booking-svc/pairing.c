#include "pairing.h"

#include "policy.h"
#include "store.h"

#include "base/check.h"
#include "base/civil.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"
#include "events/event_store.h"
#include "events/event_text.h"

#include "screening/v1/words.h"

enum { PAGE_SIZE = 1000 };

static struct metric pairings_total =
    METRIC("pairings_total", "Pairings with hospital-svc that were agreed on");
static struct metric set_back_total = METRIC(
    "hospital_log_set_back_total", "Times that the hospital database went back, and the cursor with it");

/* ---- checks ---- */

static enum status wrong_database(const char *whose, struct error *error)
{
    return error_set(
        error, STATUS_FAILED_PRECONDITION, SCREENING_REASON_WRONG_DATABASE,
        "%s database is another one than was paired with before; hospital-svc --adopt accepts it", whose);
}

/* Checks the booking log. Refuses if hospital-svc has followed a different log and does not adopt this one.
 * Also refuses if this log lacks the last event that hospital-svc has applied. */
static enum status check_own_log(const struct pairing *pairing, const struct uuid *log_id, struct db *db,
                                 struct error *refusal, struct error *error)
{
    const struct event_cursor *applied = &pairing->wanted.applied;
    if (uuid_is_zero(&applied->log_id))
        return STATUS_OK;
    if (!uuid_equal(&applied->log_id, log_id)) {
        if (!pairing->wanted.adopt)
            wrong_database("booking-svc's", refusal);
        return STATUS_OK;
    }
    if (applied->seq == 0)
        return STATUS_OK;
    struct event_position position;
    TRY(event_store_read_position(db, applied->seq, &position, error));
    if (position.head.seq < applied->seq || !uuid_equal(&position.event_id, &applied->event_id))
        error_set(refusal, STATUS_DATA_LOSS, SCREENING_REASON_LOG_DIVERGED,
                  "the booking log does not have the event at seq %llu that hospital-svc has applied",
                  (unsigned long long)applied->seq);
    return STATUS_OK;
}

static enum status report_applied(struct pairing *pairing, const struct event_cursor *cursor,
                                  struct error *error)
{
    char event_id[UUID_TEXT_SIZE];
    pairing->response.hospital_seq = cursor->seq;
    pairing->response.hospital_event_id =
        arena_strdup(pairing->arena, event_id_format(&cursor->event_id, event_id));
    return pairing->response.hospital_event_id != NULL ? STATUS_OK : error_no_memory(error);
}

/*
 * Refuses or, if requested, adopts a hospital database other than the paired one. If hospital-svc is unpaired
 * and the cursor of the hospital log is beyond wanted->since, sets the cursor back to `since`, up to which
 * the log cannot have changed.
 */
static enum status look_at_hospital_log(struct pairing *pairing, struct db *db, struct error *refusal,
                                        struct error *error)
{
    const struct pair_wanted *wanted = &pairing->wanted;
    struct era_details details = {0};
    struct event_cursor cursor;
    TRY(era_read_details(db, &details, error));
    TRY(event_cursor_read(db, SCREENING_LOG_HOSPITAL, &cursor, error));
    const struct uuid *known = uuid_is_zero(&details.peer_log_id) ? &cursor.log_id : &details.peer_log_id;
    if (!uuid_is_zero(known) && !uuid_equal(known, &wanted->log_id)) {
        if (wanted->adopt)
            return event_log_forget(db, SCREENING_LOG_HOSPITAL, store_forget_deletions, error);
        wrong_database("hospital-svc's", refusal);
        return STATUS_OK;
    }
    if (cursor.seq == 0 || !uuid_equal(&cursor.log_id, &wanted->log_id))
        return STATUS_OK;
    /* If the batch is applied again because the result of a COMMIT was lost, the first apply may already have
     * set the cursor back. */
    const bool before = pairing->set_back_from.seq > cursor.seq;
    TRY(report_applied(pairing, before ? &pairing->set_back_from : &cursor, error));
    if (wanted->paired || cursor.seq <= wanted->since.seq)
        return STATUS_OK;
    pairing->set_back_from = cursor;
    return event_log_rewind(db, SCREENING_LOG_HOSPITAL, wanted->since.seq, &wanted->since.event_id, error);
}

/* ---- the answer ---- */

static char *id_text(struct arena *arena, const struct uuid *id)
{
    char *text = arena_alloc(arena, UUID_TEXT_SIZE);
    return text != NULL ? uuid_format(id, text) : NULL;
}

static enum status take_requested(void *context, const struct booking *booking)
{
    struct pairing *pairing = context;
    Screening__V1__ReserveRequest *request = arena_alloc(pairing->arena, sizeof *request);
    char *date = arena_alloc(pairing->arena, CIVIL_TEXT_SIZE);
    if (request == NULL || date == NULL)
        return STATUS_RESOURCE_EXHAUSTED;
    screening__v1__reserve_request__init(request);
    request->booking_id = id_text(pairing->arena, &booking->booking_id);
    request->hospital_id = id_text(pairing->arena, &booking->hospital_id);
    request->date = civil_format(booking->day, date);
    request->headcount = booking->headcount;
    if (request->booking_id == NULL || request->hospital_id == NULL)
        return STATUS_RESOURCE_EXHAUSTED;
    pairing->response.requested[pairing->response.n_requested++] = request;
    return STATUS_OK;
}

static enum status take_deleted(void *context, const struct hospital_deletion *deletion)
{
    struct pairing *pairing = context;
    char *id = id_text(pairing->arena, &deletion->hospital_id);
    if (id == NULL)
        return STATUS_RESOURCE_EXHAUSTED;
    pairing->response.deleted_hospital_ids[pairing->response.n_deleted_hospital_ids++] = id;
    return STATUS_OK;
}

static enum status fill_lists(struct pairing *pairing, struct db *db, struct error *error)
{
    Screening__V1__PairResponse *response = &pairing->response;
    response->requested = arena_alloc(pairing->arena, PAGE_SIZE * sizeof *response->requested);
    response->deleted_hospital_ids =
        arena_alloc(pairing->arena, PAGE_SIZE * sizeof *response->deleted_hospital_ids);
    if (response->requested == NULL || response->deleted_hospital_ids == NULL)
        return error_no_memory(error);
    TRY(store_list_unannounced(db, &pairing->wanted.requested_after, PAGE_SIZE, take_requested, pairing,
                               error));
    return store_list_deletions(db, &pairing->wanted.deleted_after, PAGE_SIZE, take_deleted, pairing, error);
}

static enum status fill_answer(struct pairing *pairing, const struct event_log *log,
                               const struct event_era *era, struct db *db, struct error *error)
{
    const struct uuid log_id = event_log_id(log), head_event_id = event_log_head_event_id(log);
    pairing->response.log_id = id_text(pairing->arena, &log_id);
    pairing->response.head_event_id = id_text(pairing->arena, &head_event_id);
    if (pairing->response.log_id == NULL || pairing->response.head_event_id == NULL)
        return error_no_memory(error);
    pairing->response.head_seq = event_log_head_seq(log);
    pairing->response.era = (uint64_t)era->id;
    pairing->response.page_size = PAGE_SIZE;
    return fill_lists(pairing, db, error);
}

enum status pairing_apply(struct pairing *pairing, struct event_log *log, struct db *db, struct error *error)
{
    struct error *refusal = &pairing->command.writer.outcome;
    const struct uuid log_id = event_log_id(log);
    screening__v1__pair_response__init(&pairing->response);
    enum status status = check_own_log(pairing, &log_id, db, refusal, error);
    if (status == STATUS_OK && refusal->status == STATUS_OK)
        status = look_at_hospital_log(pairing, db, refusal, error);
    if (status != STATUS_OK || refusal->status != STATUS_OK)
        return status;
    struct event_era *era = event_log_era(log);
    /* If hospital-svc has a new era, begin a new era here too, so that no grant requested earlier is settled,
     * even if this Pair was delayed until after the end of its own era. */
    if (era->peer != pairing->wanted.era)
        status = era_begin(db, era, error);
    if (status == STATUS_OK)
        status = era_pair(db, era, pairing->wanted.era, &pairing->wanted.log_id, error);
    if (status == STATUS_OK)
        status = event_cursor_enter_era(db, SCREENING_LOG_HOSPITAL, &pairing->wanted.log_id,
                                        pairing->wanted.era, error);
    CHECK(status != STATUS_OK || (era->paired && era->peer == pairing->wanted.era));
    return status == STATUS_OK ? fill_answer(pairing, log, era, db, error) : status;
}

/* ---- the RPC service ---- */

static void note_set_back(const struct pairing *pairing)
{
    metric_add(&set_back_total, 1);
    log_event(LOG_INFO, "hospital_log.set_back", LOG_INT("from_seq", pairing->set_back_from.seq),
              LOG_INT("to_seq", pairing->wanted.since.seq));
}

static void have_log_reread(struct pairing_service *service)
{
    pthread_mutex_lock(&service->lock);
    if (service->follower != NULL)
        event_follower_reread(service->follower);
    pthread_mutex_unlock(&service->lock);
}

void pairing_service_join_follower(struct pairing_service *service, struct event_follower *follower)
{
    pthread_mutex_lock(&service->lock);
    service->follower = follower;
    pthread_mutex_unlock(&service->lock);
}

void pairing_service_leave_follower(struct pairing_service *service)
{
    pairing_service_join_follower(service, NULL);
}

void pairing_service_note_era(struct pairing_service *service, int64_t era)
{
    if (era == service->era)
        return;
    service->era = era;
    have_log_reread(service);
}

static void paired(struct writer_command *command)
{
    struct pairing *pairing = container_of(command, struct pairing, command.writer);
    CHECK(pairing->command.kind == COMMAND_PAIR);
    if (command->outcome.status != STATUS_OK) {
        log_event(LOG_WARN, "pairing.refused", LOG_TEXT("status", status_name(command->outcome.status)),
                  LOG_TEXT("reason", command->outcome.reason));
        const struct error refusal = command->outcome; /* the answer frees the command */
        rpc_call_fail(pairing->call, &refusal);
        return;
    }
    metric_add(&pairings_total, 1);
    if (pairing->set_back_from.seq > 0)
        note_set_back(pairing);
    if (pairing->set_back_from.seq > 0 || pairing->wanted.adopt)
        have_log_reread(pairing->service);
    rpc_call_reply(pairing->call, &pairing->response.base);
}

static enum status parse_id(const char *field, const char *text, struct uuid *out, struct error *error)
{
    if (text[0] == '\0') {
        *out = (struct uuid){{0}};
        return STATUS_OK;
    }
    return text_check_uuid(field, text, out, error);
}

static enum status read_request(const Screening__V1__PairRequest *request, struct pair_wanted *wanted,
                                struct error *error)
{
    TRY(text_check_uuid("log_id", request->log_id, &wanted->log_id, error));
    TRY(parse_id("since_event_id", request->since_event_id, &wanted->since.event_id, error));
    TRY(parse_id("booking_log_id", request->booking_log_id, &wanted->applied.log_id, error));
    TRY(parse_id("booking_event_id", request->booking_event_id, &wanted->applied.event_id, error));
    TRY(parse_id("requested_after", request->requested_after, &wanted->requested_after, error));
    TRY(parse_id("deleted_after", request->deleted_after, &wanted->deleted_after, error));
    if (request->era == 0 || request->era > INT64_MAX)
        return error_invalid(error, "era: must be 1 to 2^63 - 1");
    wanted->era = (int64_t)request->era;
    wanted->since.seq = request->since_seq;
    wanted->applied.seq = request->booking_seq;
    wanted->adopt = request->adopt;
    wanted->paired = request->paired;
    if (wanted->since.seq > 0 && uuid_is_zero(&wanted->since.event_id))
        return error_invalid(error, "since_event_id: must be a UUID");
    return STATUS_OK;
}

static enum status pair(void *service, const void *request, struct rpc_call *call, struct error *error)
{
    struct pairing *pairing = arena_alloc(rpc_call_arena(call), sizeof *pairing);
    if (pairing == NULL)
        return error_no_memory(error);
    TRY(read_request(request, &pairing->wanted, error));
    pairing->call = call;
    pairing->arena = rpc_call_arena(call);
    pairing->service = service;
    pairing->command.kind = COMMAND_PAIR;
    pairing->command.traceparent = "";
    pairing->command.writer.class = WRITER_SETTLE;
    pairing->command.writer.deadline_ns = rpc_call_deadline_ns(call); /* when the caller repeats the call */
    pairing->command.writer.complete = paired;
    writer_submit(pairing->service->writer, &pairing->command.writer);
    return STATUS_OK;
}

void pairing_service_init(struct pairing_service *service)
{
    static const struct handler handlers[] = {{"Pair", pair}};
    handler_service_init(&service->service, &screening__v1__pairing_service__descriptor, handlers);
    pthread_mutex_init(&service->lock, NULL);
    metric_register(&pairings_total);
    metric_register(&set_back_total);
}
