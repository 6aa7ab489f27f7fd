#include "pairing_call.h"

#include "wire.h"

#include <string.h>

#include "events/event_text.h"

#include "screening/v1/pairing.pb-c.h"

enum {
    CALL_TIMEOUT_MS = 10000, /* long, so that a slow commit of booking-svc does not make every attempt fail */
    PAGES_MAX = 1000,
};

/* The request, and the strings to which it points. */
struct pair_request {
    Screening__V1__PairRequest message;
    char log_id[UUID_TEXT_SIZE], since_event_id[UUID_TEXT_SIZE];
    char booking_log_id[UUID_TEXT_SIZE], booking_event_id[UUID_TEXT_SIZE];
    char requested_after[UUID_TEXT_SIZE], deleted_after[UUID_TEXT_SIZE];
};

struct rpc_client *pairing_client_create(struct rpc_channel *channel)
{
    return rpc_client_create(channel, &screening__v1__pairing_service__descriptor);
}

static void fill_request(struct pair_request *request, const struct pair_look *look,
                         const struct pairing_options *options)
{
    Screening__V1__PairRequest *message = &request->message;
    screening__v1__pair_request__init(message);
    message->log_id = uuid_format(&look->log_id, request->log_id);
    message->era = (uint64_t)look->era.id;
    if (!options->from_start) {
        message->since_seq = look->since.seq;
        message->since_event_id = event_id_format(&look->since.event_id, request->since_event_id);
    }
    message->booking_log_id = event_id_format(&look->applied.log_id, request->booking_log_id);
    message->booking_seq = look->applied.seq;
    message->booking_event_id = event_id_format(&look->applied.event_id, request->booking_event_id);
    message->adopt = options->adopt;
    message->paired = look->era.paired && !options->from_start;
}

static enum status call(struct rpc_client *client, const struct pair_request *request, struct arena *arena,
                        const Screening__V1__PairResponse **out, struct error *error)
{
    struct rpc_client_call call = {
        .timeout_ms = CALL_TIMEOUT_MS, .unguarded = true, .own_token = true, .idempotent = true};
    ProtobufCMessage *response = NULL;
    enum status status =
        rpc_client_call_wait(client, "Pair", &request->message.base, &call, arena, &response);
    *error = call.error;
    *out = (const Screening__V1__PairResponse *)response;
    return status;
}

static enum status bad_answer(const char *field, struct error *error)
{
    return error_set(error, STATUS_INTERNAL, NULL, "booking-svc's answer to Pair: %s", field);
}

static void *grown(struct arena *arena, const void *items, size_t count, size_t more, size_t size)
{
    void *larger = arena_alloc(arena, (count + more) * size);
    if (larger != NULL && count > 0)
        memcpy(larger, items, count * size);
    return larger;
}

static enum status take_requested(const Screening__V1__PairResponse *response, struct arena *arena,
                                  struct pair_done *done, struct error *error)
{
    struct reserve *all =
        grown(arena, done->requested, done->requested_count, response->n_requested, sizeof *all);
    if (all == NULL)
        return error_no_memory(error);
    for (size_t i = 0; i < response->n_requested; i++)
        if (wire_read_reserve(response->requested[i], &all[done->requested_count + i], error) != STATUS_OK)
            return bad_answer("requested", error);
    done->requested = all;
    done->requested_count += response->n_requested;
    return STATUS_OK;
}

static enum status take_deleted(const Screening__V1__PairResponse *response, struct arena *arena,
                                struct pair_done *done, struct error *error)
{
    const size_t more = response->n_deleted_hospital_ids;
    struct uuid *all = grown(arena, done->deleted, done->deleted_count, more, sizeof *all);
    if (all == NULL)
        return error_no_memory(error);
    for (size_t i = 0; i < more; i++)
        if (!uuid_parse(response->deleted_hospital_ids[i], &all[done->deleted_count + i]))
            return bad_answer("deleted_hospital_ids", error);
    done->deleted = all;
    done->deleted_count += more;
    return STATUS_OK;
}

/* Takes the head from the first page. Later pages may show a longer log. */
static enum status take_head(const struct pair_request *request, const Screening__V1__PairResponse *response,
                             struct pair_done *done, struct error *error)
{
    done->booking_era = (int64_t)response->era;
    done->head_seq = response->head_seq;
    done->told.seq = response->hospital_seq;
    done->set_back = !request->message.paired && response->hospital_seq > request->message.since_seq;
    if (!uuid_parse(response->log_id, &done->booking_log_id) ||
        !event_id_parse(response->head_event_id, &done->head_event_id) ||
        !event_id_parse(response->hospital_event_id, &done->told.event_id))
        return bad_answer("log_id, head_event_id, hospital_event_id", error);
    return STATUS_OK;
}

/* Advances the request to the next page of both lists. Returns false if this page was the last. */
static bool turn_page(const Screening__V1__PairResponse *response, const struct pair_done *done,
                      struct pair_request *request)
{
    bool more = false;
    if (response->page_size == 0)
        return false;
    if (done->requested_count > 0) {
        more |= response->n_requested >= response->page_size;
        request->message.requested_after =
            uuid_format(&done->requested[done->requested_count - 1].booking_id, request->requested_after);
    }
    if (done->deleted_count > 0) {
        more |= response->n_deleted_hospital_ids >= response->page_size;
        request->message.deleted_after =
            uuid_format(&done->deleted[done->deleted_count - 1], request->deleted_after);
    }
    return more;
}

enum status pairing_call(struct rpc_client *client, const struct pair_look *look,
                         const struct pairing_options *options, struct arena *arena, struct pair_done *done,
                         struct error *error)
{
    struct pair_request request;
    fill_request(&request, look, options);
    *done = (struct pair_done){.era = look->era.id, .peer = look->era.peer, .checked = look->applied};
    /*
     * booking-svc may have applied a lost deletion even if the era is paired, because a Pair call was
     * executed late.
     */
    const bool lost_deletions = !look->era.paired || options->from_start;
    bool more = true;
    for (size_t page = 0; more && page < PAGES_MAX; page++) {
        const Screening__V1__PairResponse *response;
        TRY(call(client, &request, arena, &response, error));
        if (page == 0)
            TRY(take_head(&request, response, done, error));
        if (!look->era.paired)
            TRY(take_requested(response, arena, done, error));
        if (lost_deletions)
            TRY(take_deleted(response, arena, done, error));
        more = lost_deletions && turn_page(response, done, &request);
    }
    return STATUS_OK;
}
