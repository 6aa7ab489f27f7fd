/*
 * One INSERT ... ON CONFLICT statement cannot change the same row twice. So the batch keeps one row per
 * hospital and one row per booking. For a booking, this is the row with the highest version.
 */
#include "batch.h"

#include "months.h"
#include "policy.h"
#include "projection.h"
#include "store.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/map.h"
#include "events/follower.h"

struct batch {
    struct arena arena;   /* holds the rows of the current batch */
    struct map bookings;  /* booking_id -> struct booking_row */
    struct map hospitals; /* hospital_id -> struct hospital_row */
    /*
     * The rows to save, with room for one row of each kind per event. Bookings and hospitals are also in the
     * maps.
     */
    struct booking_row **booking_rows;
    struct hospital_row **hospital_rows;
    struct entry_row *entries;
    struct unknown_row *unknown;
    size_t booking_count, hospital_count, entry_count, unknown_count, room;
    /* The members below outlive the batch. They hold assumptions about the tables. */
    struct months months;
    bool careful; /* whether the next attempt must make no assumptions */
};

struct batch *batch_create(void)
{
    struct batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL)
        return NULL;
    arena_init(&batch->arena);
    map_init(&batch->bookings, sizeof(struct uuid));
    map_init(&batch->hospitals, sizeof(struct uuid));
    return batch;
}

void batch_destroy(struct batch *batch)
{
    if (batch == NULL)
        return;
    map_fini(&batch->hospitals);
    map_fini(&batch->bookings);
    arena_fini(&batch->arena);
    free(batch);
}

static enum status begin(struct batch *batch, struct writer_command *const *commands, size_t count,
                         struct error *error)
{
    size_t events = 0;
    for (size_t i = 0; i < count; i++) {
        CHECK(commands[i]->class == WRITER_EVENT);
        events += container_of(commands[i], const struct event_chunk, writer)->count;
    }
    arena_reset(&batch->arena);
    map_clear(&batch->bookings);
    map_clear(&batch->hospitals);
    batch->booking_count = batch->hospital_count = batch->entry_count = batch->unknown_count = 0;
    batch->room = events;
    batch->booking_rows = arena_alloc(&batch->arena, events * sizeof(struct booking_row *));
    batch->hospital_rows = arena_alloc(&batch->arena, events * sizeof(struct hospital_row *));
    batch->entries = arena_alloc(&batch->arena, events * sizeof(struct entry_row));
    batch->unknown = arena_alloc(&batch->arena, events * sizeof(struct unknown_row));
    if (batch->booking_rows == NULL || batch->hospital_rows == NULL || batch->entries == NULL ||
        batch->unknown == NULL)
        return error_no_memory(error);
    return STATUS_OK;
}

/* ---- one event ---- */

static enum status keep_booking(struct batch *batch, const struct booking_row *told, struct error *error)
{
    struct booking_row *known = map_get(&batch->bookings, &told->booking_id);
    if (known != NULL) {
        if (projection_moves(known->message.version, told->message.version))
            *known = *told;
        return STATUS_OK;
    }
    known = arena_alloc(&batch->arena, sizeof *known);
    if (known == NULL || map_put(&batch->bookings, &told->booking_id, known) != STATUS_OK)
        return error_no_memory(error);
    *known = *told;
    batch->booking_rows[batch->booking_count++] = known;
    CHECK(batch->booking_count == batch->bookings.count && batch->booking_count <= batch->room);
    return STATUS_OK;
}

/* Merges a later event into the row. Keeps the first deletion. */
static void merge_hospital(struct hospital_row *known, const struct hospital_row *told)
{
    if (told->name[0] != '\0')
        known->name = told->name;
    if (told->address[0] != '\0')
        known->address = told->address;
    if (known->deletion.deleted || !told->deletion.deleted)
        return;
    known->deletion = told->deletion;
    known->deleted_at_us = told->deleted_at_us;
}

static enum status keep_hospital(struct batch *batch, const struct hospital_row *told, struct error *error)
{
    struct hospital_row *known = map_get(&batch->hospitals, &told->hospital_id);
    if (known != NULL) {
        merge_hospital(known, told);
        return STATUS_OK;
    }
    known = arena_alloc(&batch->arena, sizeof *known);
    if (known == NULL || map_put(&batch->hospitals, &told->hospital_id, known) != STATUS_OK)
        return error_no_memory(error);
    *known = *told;
    batch->hospital_rows[batch->hospital_count++] = known;
    CHECK(batch->hospital_count == batch->hospitals.count && batch->hospital_count <= batch->room);
    return STATUS_OK;
}

static enum status keep_unknown(struct batch *batch, const char *log, const Screening__V1__Event *event,
                                struct error *error)
{
    size_t size = protobuf_c_message_get_packed_size(&event->base);
    uint8_t *packed = arena_alloc(&batch->arena, size);
    if (packed == NULL)
        return error_no_memory(error);
    protobuf_c_message_pack(&event->base, packed);
    struct unknown_row row = {
        .log = log, .seq = event->seq, .type = event->type, .event = packed, .event_size = size};
    if (!uuid_parse(event->event_id, &row.event_id))
        return error_set(error, STATUS_INTERNAL, NULL, "event_id is no UUID");
    CHECK(batch->unknown_count < batch->room);
    batch->unknown[batch->unknown_count++] = row;
    return STATUS_OK;
}

static enum status project(struct batch *batch, const char *log, const Screening__V1__Event *event,
                           struct error *error)
{
    struct reaction reaction;
    TRY(policy_react(log, event, &reaction, error));
    switch (reaction.meaning) {
    case EVENT_BOOKING:
        CHECK(batch->entry_count < batch->room);
        batch->entries[batch->entry_count++] = reaction.entry;
        return keep_booking(batch, &reaction.booking, error);
    case EVENT_HOSPITAL_REGISTERED:
    case EVENT_HOSPITAL_DELETED:
        return keep_hospital(batch, &reaction.hospital, error);
    case EVENT_UNKNOWN:
        return keep_unknown(batch, log, event, error);
    case EVENT_WITHOUT_EFFECT:
    default:
        return STATUS_OK;
    }
}

/* ---- the batch ---- */

static enum status project_chunk(struct batch *batch, struct db *db, struct event_chunk *chunk,
                                 struct error *error)
{
    size_t count = 0;
    TRY(event_chunk_begin(chunk, db, &count, error));
    Screening__V1__Event *const *events = event_chunk_events(chunk);
    for (size_t i = 0; i < count; i++)
        TRY(project(batch, chunk->log, events[i], error));
    return STATUS_OK;
}

static enum status save(struct batch *batch, struct db *db, struct error *error)
{
    TRY(months_open(&batch->months, db, batch->entries, batch->entry_count, error));
    TRY(store_save_bookings(db, batch->booking_rows, batch->booking_count, error));
    TRY(store_insert_entries(db, batch->entries, batch->entry_count, batch->careful, error));
    TRY(store_save_hospitals(db, batch->hospital_rows, batch->hospital_count, error));
    return store_insert_unknown(db, batch->unknown, batch->unknown_count, error);
}

/* Saves the rows and moves the cursors. By then, the database has reported the result of every statement. */
static enum status save_and_finish(struct batch *batch, struct db *db, struct writer_command *const *commands,
                                   size_t count, struct error *error)
{
    TRY(save(batch, db, error));
    for (size_t i = 0; i < count; i++)
        TRY(event_chunk_finish(container_of(commands[i], struct event_chunk, writer), db, error));
    return STATUS_OK;
}

/*
 * Returns the status of the batch, and decides how to continue after a failure. Normally the cursor
 * guarantees that no entry exists yet, and months are never dropped. A rebuild breaks both assumptions,
 * because it swaps the tables. If a wrong assumption may have caused the failure, returns ABORTED, so that
 * the writer applies the batch again without assumptions. If the events themselves caused the failure, the
 * second attempt fails too.
 */
static enum status explain(struct batch *batch, enum status status, struct error *error)
{
    bool was_careful = batch->careful;
    batch->careful = status != STATUS_OK && !status_is_transient(status) && !was_careful;
    if (status != STATUS_OK)
        months_forget(&batch->months);
    if (batch->careful)
        return error_set(error, STATUS_ABORTED, NULL, "the tables are not as they were");
    return status;
}

enum status batch_apply(void *context, struct db *db, struct writer_command *const *commands, size_t count,
                        struct error *error)
{
    struct batch *batch = context;
    TRY(begin(batch, commands, count, error));
    for (size_t i = 0; i < count; i++)
        TRY(project_chunk(batch, db, container_of(commands[i], struct event_chunk, writer), error));
    return explain(batch, save_and_finish(batch, db, commands, count, error), error);
}
