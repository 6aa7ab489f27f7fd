#include "events/fetch.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/text.h"
#include "events/event_text.h"
#include "rpc/wire.h"

#include "screening/v1/words.h"

enum { MAX_EVENTS_DEFAULT = 256, MAX_EVENTS_LIMIT = 1000, WAIT_MS_LIMIT = 10000, SUBSCRIBER_MAX = 64 };

/* A long poll ends this long before its caller's deadline, so that the reply arrives in time. */
static const int64_t POLL_MARGIN_NS = INT64_C(50) * NS_PER_MS;

enum { RESPONSE_EVENTS = 4 }; /* the field number of `events` in FetchResponse */

void fetch_page_init(struct fetch_page *page, size_t max_bytes)
{
    *page = (struct fetch_page){.max_bytes = max_bytes};
    buffer_init(&page->bytes);
}

void fetch_page_fini(struct fetch_page *page)
{
    buffer_fini(&page->bytes);
    free(page->events);
}

static enum status check_limits(const Screening__V1__FetchRequest *request, struct error *error)
{
    if (request->max_events > MAX_EVENTS_LIMIT)
        return error_invalid(error, "max_events: must be at most %d", MAX_EVENTS_LIMIT);
    if (request->wait_ms > WAIT_MS_LIMIT)
        return error_invalid(error, "wait_ms: must be at most %d", WAIT_MS_LIMIT);
    return text_check("subscriber", request->subscriber, 0, SUBSCRIBER_MAX, error);
}

enum status fetch_accept(struct rpc_call *call, const Screening__V1__FetchRequest *request,
                         struct fetch **out, struct error *error)
{
    TRY(check_limits(request, error));
    struct uuid after_event_id;
    if (!event_id_parse(request->after_event_id, &after_event_id))
        return error_invalid(error, "after_event_id: must be a UUID or empty");
    struct fetch *fetch = arena_alloc(rpc_call_arena(call), sizeof *fetch);
    if (fetch == NULL)
        return error_no_memory(error);
    int64_t latest_ns = rpc_call_deadline_ns(call) - POLL_MARGIN_NS;
    int64_t wished_ns = clock_monotonic_ns() + (int64_t)request->wait_ms * NS_PER_MS;
    *fetch = (struct fetch){
        .item.source = rpc_call_source(call),
        .call = call,
        .subscriber = request->subscriber,
        .after_seq = request->after_seq,
        .after_event_id = after_event_id,
        .check_event_id = request->after_event_id[0] != '\0',
        .max_events = request->max_events > 0 ? request->max_events : MAX_EVENTS_DEFAULT,
        .wait_until_ns = wished_ns < latest_ns ? wished_ns : latest_ns,
    };
    *out = fetch;
    return STATUS_OK;
}

static enum status check_position(const struct fetch *fetch, struct error *error)
{
    const struct event_position *seen = &fetch->seen;
    if (seen->head.seq < fetch->after_seq)
        return error_set(error, STATUS_DATA_LOSS, SCREENING_REASON_LOG_DIVERGED,
                         "the log ends at seq %llu, before after_seq %llu",
                         (unsigned long long)seen->head.seq, (unsigned long long)fetch->after_seq);
    if (fetch->check_event_id && !uuid_equal(&seen->event_id, &fetch->after_event_id))
        return error_set(error, STATUS_DATA_LOSS, SCREENING_REASON_LOG_DIVERGED,
                         "the event at seq %llu has another id", (unsigned long long)fetch->after_seq);
    return STATUS_OK;
}

static bool page_fits(const struct fetch_page *page, size_t framed_size)
{
    /* Count one byte for the tag of each event. Send the first event whatever its size. */
    return page->count == 0 || page->bytes.size + page->count + framed_size + 1 <= page->max_bytes;
}

static enum status take_event(void *context, const struct db_row *row)
{
    struct fetch_page *page = context;
    size_t size;
    const void *event = db_row_bytes(row, 1, &size);
    size_t framed_size = wire_varint_size(size) + size;
    if (page->full || (uint64_t)db_row_int(row, 0) > page->head_seq || !page_fits(page, framed_size)) {
        page->full = true;
        return STATUS_OK;
    }
    uint8_t *at = NULL;
    if (array_reserve(&page->events, &page->capacity, page->count + 1) == STATUS_OK)
        at = buffer_extend(&page->bytes, framed_size);
    if (at == NULL) {
        page->full = page->out_of_memory = true;
        return STATUS_OK;
    }
    memcpy(wire_put_varint(at, size), event, size);
    page->events[page->count++] = (ProtobufCMessageUnknownField){
        .tag = RESPONSE_EVENTS, .wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED, .len = framed_size};
    return STATUS_OK;
}

static enum status read_page(struct fetch *fetch, struct db *db, struct fetch_page *page, struct error *error)
{
    TRY(event_store_read_position(db, fetch->after_seq, &fetch->seen, error));
    TRY(check_position(fetch, error));
    if (fetch->seen.head.seq == fetch->after_seq)
        return STATUS_OK;
    page->head_seq = fetch->seen.head.seq;
    TRY(event_store_read(db, fetch->after_seq, fetch->max_events, take_event, page, error));
    if (page->out_of_memory)
        return error_no_memory(error);
    return STATUS_OK;
}

enum status fetch_read(struct fetch *fetch, struct db *db, struct fetch_page *page, struct error *error)
{
    buffer_reset(&page->bytes);
    page->count = 0;
    page->full = page->out_of_memory = false;
    TRY(db_begin(db, error));
    enum status status = read_page(fetch, db, page, error);
    db_rollback(db); /* nothing to commit */
    return status;
}

void fetch_reply(struct fetch *fetch, struct fetch_page *page)
{
    char log_id[UUID_TEXT_SIZE];
    Screening__V1__FetchResponse response = SCREENING__V1__FETCH_RESPONSE__INIT;
    response.log_id = uuid_format(&fetch->seen.head.log_id, log_id);
    response.first_seq = fetch->seen.first_seq;
    response.head_seq = fetch->seen.head.seq;
    response.era = (uint64_t)fetch->seen.head.era;
    if (page != NULL) {
        uint8_t *at = page->bytes.bytes;
        for (size_t i = 0; i < page->count; i++) {
            page->events[i].data = at;
            at += page->events[i].len;
        }
        /*
         * protobuf-c appends unknown fields verbatim after the known ones, so the packed events become the
         * repeated field `events`.
         */
        response.base.unknown_fields = page->events;
        response.base.n_unknown_fields = (unsigned)page->count;
    }
    rpc_call_reply(fetch->call, &response.base);
}
