/*
 * Packs the events of the current batch into one buffer, in the wire format of EventBatch. Saving and
 * publishing both read from this buffer.
 */
#include "events/event_log.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/check.h"
#include "base/instant.h"
#include "base/metrics.h"
#include "events/buffer.h"
#include "events/event_store.h"
#include "events/event_text.h"
#include "events/publisher.h"
#include "rpc/wire.h"

enum { TYPE_SIZE = 48 };

/* The field numbers of screening.v1.EventBatch. */
enum { BATCH_LOG_ID = 1, BATCH_HEAD_SEQ = 2, BATCH_PREV_EVENT_ID = 3, BATCH_EVENTS = 4, BATCH_ERA = 5 };

struct appended {
    struct uuid event_id;
    struct uuid subject;
    int64_t occurred_at_us;
    size_t offset; /* offset of the packed event in `batch` */
    size_t size;
    char type[TYPE_SIZE];
};

struct event_log {
    struct event_publisher *publisher;
    struct event_head before; /* the head when the batch took it */
    struct event_head head;   /* the head including the appended events */
    /* The position when the head was taken, with the new era if this batch began one. */
    struct era_place found;
    struct era_place left; /* the position that this writer committed last */
    uint64_t taken_stamp;  /* db_stamp when the head was taken */
    uint64_t left_stamp;   /* db_stamp at this writer's last commit; 0 = the row must be read */
    const struct db_statement *lock;
    bool head_taken;
    bool saved;
    struct buffer batch;
    struct appended *events;
    size_t count;
    size_t capacity;
    struct db_params *rows;
};

static struct metric appended_total = METRIC("events_appended_total", "Events published after their commit");
static struct metric head_seq =
    METRIC("events_head_seq", "Last seq of the own log that this process committed");

struct event_log *event_log_create(struct event_publisher *publisher)
{
    struct event_log *log = calloc(1, sizeof *log);
    if (log == NULL)
        return NULL;
    log->rows = db_params_create();
    if (log->rows == NULL) {
        free(log);
        return NULL;
    }
    log->publisher = publisher;
    buffer_init(&log->batch);
    metric_register(&appended_total);
    metric_register(&head_seq);
    return log;
}

void event_log_destroy(struct event_log *log)
{
    if (log == NULL)
        return;
    db_params_destroy(log->rows);
    buffer_fini(&log->batch);
    free(log->events);
    free(log);
}

static void forget(struct event_log *log)
{
    log->head_taken = false;
    log->saved = false;
    log->count = 0;
    buffer_reset(&log->batch);
}

/* Returns whether the head row is unchanged since this writer's last commit, so that it need not be read. */
static bool is_as_left(const struct event_log *log)
{
    return log->left_stamp != 0 && log->left_stamp == log->taken_stamp;
}

static enum status read_head(struct event_log *log, struct db *db, struct error *error)
{
    TRY(event_store_lock_head(db, log->lock, &log->before, &log->found, error));
    if (era_must_begin(&log->left, &log->found))
        return era_begin(db, &log->found.era, error);
    return STATUS_OK;
}

enum status event_log_take_head(struct event_log *log, struct db *db, struct error *error)
{
    forget(log);
    log->taken_stamp = db_stamp(db);
    bool as_left = is_as_left(log);
    log->left_stamp = 0; /* unknown until this batch commits */
    if (as_left) {
        log->before = log->head;
        log->found = log->left;
    } else {
        TRY(read_head(log, db, error));
    }
    log->head = log->before;
    log->head_taken = true;
    return STATUS_OK;
}

void event_log_lock_with(struct event_log *log, const struct db_statement *lock)
{
    log->lock = lock;
}

void event_log_note_commit(struct event_log *log)
{
    if (log->found.table != 0) /* only PostgreSQL uses the number */
        log->found.commit_no++;
}

struct uuid event_log_id(const struct event_log *log)
{
    return log->before.log_id;
}

uint64_t event_log_head_seq(const struct event_log *log)
{
    return log->before.seq;
}

struct uuid event_log_head_event_id(const struct event_log *log)
{
    return log->before.event_id;
}

struct event_era *event_log_era(struct event_log *log)
{
    return &log->found.era;
}

/* Packs `event` at the end of the batch. */
static enum status pack(struct event_log *log, const Screening__V1__Event *event, struct appended *out,
                        struct error *error)
{
    size_t size = screening__v1__event__get_packed_size(event);
    uint8_t *at = buffer_extend(&log->batch, wire_bytes_size(BATCH_EVENTS, size));
    if (at == NULL)
        return error_no_memory(error);
    at = wire_put_bytes_header(at, BATCH_EVENTS, size);
    screening__v1__event__pack(event, at);
    out->offset = (size_t)(at - log->batch.bytes);
    out->size = size;
    return STATUS_OK;
}

enum status event_log_append(struct event_log *log, const char *type, const struct uuid *subject,
                             int64_t occurred_at_us, const char *traceparent,
                             const Screening__V1__Event *body, struct error *error)
{
    struct appended added = {.event_id = uuid_v7(), .subject = *subject, .occurred_at_us = occurred_at_us};
    size_t type_size = strlen(type) + 1;
    if (!log->head_taken || log->saved || type_size > sizeof added.type)
        return error_set(error, STATUS_INTERNAL, NULL, "event %s appended out of order, or its type too long",
                         type);
    if (array_reserve(&log->events, &log->capacity, log->count + 1) != STATUS_OK)
        return error_no_memory(error);
    memcpy(added.type, type, type_size);

    char event_id[UUID_TEXT_SIZE];
    Google__Protobuf__Timestamp occurred_at;
    instant_write(occurred_at_us, &occurred_at);
    Screening__V1__Event event = *body;
    event.seq = log->head.seq + 1;
    event.event_id = uuid_format(&added.event_id, event_id);
    event.type = added.type;
    event.occurred_at = &occurred_at;
    event.traceparent = traceparent != NULL ? (char *)(uintptr_t)traceparent : (char *)(uintptr_t) "";
    TRY(pack(log, &event, &added, error));
    log->events[log->count++] = added;
    log->head.seq = event.seq;
    log->head.event_id = added.event_id;
    return STATUS_OK;
}

enum status event_log_save(struct event_log *log, struct db *db, struct error *error)
{
    if (!log->head_taken)
        return error_set(error, STATUS_INTERNAL, NULL, "event_log_save without event_log_take_head");
    CHECK(log->head.seq == log->before.seq + log->count);
    if (log->count == 0)
        return STATUS_OK;
    db_params_reset(log->rows);
    for (size_t i = 0; i < log->count; i++) {
        const struct appended *event = &log->events[i];
        event_store_add_row(log->rows, log->before.seq + 1 + i, &event->event_id, event->type,
                            event->occurred_at_us, log->batch.bytes + event->offset, event->size,
                            &event->subject);
    }
    enum status status = event_store_insert(db, log->rows, error);
    if (status == STATUS_OK)
        status = event_store_move_head(db, &log->head, error);
    log->saved = status == STATUS_OK;
    return status;
}

/*
 * Appends the remaining fields of the EventBatch after the events. The wire format allows fields in any
 * order.
 */
static enum status finish_batch(struct event_log *log)
{
    char log_id[UUID_TEXT_SIZE];
    char prev_event_id[UUID_TEXT_SIZE];
    size_t log_id_size = strlen(uuid_format(&log->head.log_id, log_id));
    size_t prev_size = strlen(event_id_format(&log->before.event_id, prev_event_id));
    uint8_t *at = buffer_extend(&log->batch, wire_bytes_size(BATCH_LOG_ID, log_id_size) +
                                                 wire_varint_field_size(BATCH_HEAD_SEQ, log->head.seq) +
                                                 wire_bytes_size(BATCH_PREV_EVENT_ID, prev_size) +
                                                 wire_fixed64_field_size(BATCH_ERA));
    if (at == NULL)
        return STATUS_RESOURCE_EXHAUSTED;
    at = wire_put_bytes(at, BATCH_LOG_ID, log_id, log_id_size);
    at = wire_put_varint_field(at, BATCH_HEAD_SEQ, log->head.seq);
    at = wire_put_bytes(at, BATCH_PREV_EVENT_ID, prev_event_id, prev_size);
    wire_put_fixed64_field(at, BATCH_ERA, (uint64_t)log->found.era.id);
    return STATUS_OK;
}

static void note_left(struct event_log *log)
{
    log->left = log->found;
    log->left.head_seq = log->head.seq;
    log->left.head_event_id = log->head.event_id;
    log->left_stamp = log->taken_stamp;
}

void event_log_publish(struct event_log *log)
{
    CHECK(log->head_taken || !log->saved);
    if (log->head_taken)
        note_left(log);
    if (log->saved) {
        metric_add(&appended_total, (int64_t)log->count);
        metric_set(&head_seq, (int64_t)log->head.seq);
        /* When out of memory, do not publish. The next heartbeat announces the head. */
        if (log->publisher != NULL && finish_batch(log) == STATUS_OK)
            event_publisher_publish(log->publisher, log->batch.bytes, log->batch.size);
    }
    forget(log);
}
