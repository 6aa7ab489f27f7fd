#include "batch.h"

#include "batch_internal.h"
#include "content.h"
#include "pairing.h"
#include "policy.h"
#include "store.h"
#include "wire.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/civil.h"
#include "base/clock.h"
#include "base/fault_point.h"
#include "base/map.h"
#include "events/follower.h"

struct batch *batch_create(struct event_log *log)
{
    struct batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL)
        return NULL;
    batch->log = log;
    arena_init(&batch->arena);
    map_init(&batch->bookings, sizeof(struct uuid));
    map_init(&batch->deletions, sizeof(struct uuid));
    return batch;
}

void batch_destroy(struct batch *batch)
{
    if (batch == NULL)
        return;
    map_fini(&batch->deletions);
    map_fini(&batch->bookings);
    arena_fini(&batch->arena);
    free(batch);
}

void batch_set_hospital_unavailable(struct batch *batch, bool unavailable)
{
    batch->hospital_unavailable = unavailable;
}

bool batch_began_deletion(const struct batch *batch)
{
    return batch->began_deletion;
}

/* ---- decide ---- */

static enum status append_event(struct batch *batch, struct entry *entry, struct booking_change change,
                                const char *traceparent, struct error *error)
{
    if (change.event_type == NULL)
        return STATUS_OK;
    CHECK(entry->booking.version > 0 && entry->booking.status != 0);
    entry->changed = true;
    struct booking_wire wire;
    Screening__V1__Event body = SCREENING__V1__EVENT__INIT;
    body.body_case = SCREENING__V1__EVENT__BODY_BOOKING;
    body.booking = (Screening__V1__Booking *)booking_wire_fill(&wire, &entry->booking);
    return event_log_append(batch->log, change.event_type, &entry->booking.booking_id, batch->at.now_us,
                            traceparent, &body, error);
}

/*
 * Settles a booking without calling hospital-svc. No place was taken, so it does not matter whether the
 * hospital is deleted.
 */
static enum status settle_unasked(struct batch *batch, const struct booking_command *command,
                                  struct entry *entry, struct error *error)
{
    const struct deletion_mark unmarked = {false, 0};
    struct booking_change change =
        booking_settle(&entry->booking, PLACEMENT_UNKNOWN, "", false, &unmarked, &batch->at);
    return append_event(batch, entry, change, command->traceparent, error);
}

/*
 * Adds a copy of a new booking. The request's strings are freed when its call is answered, but later commands
 * of the batch for the same booking may still use the entry. Returns NULL when out of memory.
 */
static struct entry *add_new(struct batch *batch, const struct booking *created)
{
    const struct booking *copy = store_copy_booking(&batch->arena, created);
    struct entry *entry = copy != NULL ? batch_add_entry(batch, copy) : NULL;
    if (entry != NULL)
        entry->is_new = true;
    return entry;
}

static enum status decide_create(struct batch *batch, struct booking_command *command, struct error *error)
{
    struct entry *entry = map_get(&batch->bookings, &command->booking_id);
    struct booking created;
    const struct booking *existing = entry != NULL ? &entry->booking : NULL;
    bool same = false;
    if (existing != NULL && !content_compare(existing, command->request, command->sent, &batch->arena, &same))
        return error_no_memory(error);
    if (booking_create(existing, same, command->request, command->caller, &batch->at, &created,
                       &command->writer.outcome) != STATUS_OK)
        return STATUS_OK;
    if (entry != NULL) {
        command->booking = &entry->booking;
        return STATUS_OK;
    }
    entry = add_new(batch, &created);
    if (entry == NULL)
        return error_no_memory(error);
    command->booking = &entry->booking;
    return batch->hospital_unavailable ? settle_unasked(batch, command, entry, error) : STATUS_OK;
}

static enum status decide_abandon(struct batch *batch, struct booking_command *command, struct error *error)
{
    struct entry *entry = map_get(&batch->bookings, &command->booking_id);
    struct booking made;
    const struct booking *existing = entry != NULL ? &entry->booking : NULL;
    struct booking_change change = booking_abandon(existing, command->request, &batch->at, &made);
    if (entry == NULL)
        entry = add_new(batch, &made);
    if (entry == NULL)
        return error_no_memory(error);
    command->booking = &entry->booking;
    return append_event(batch, entry, change, command->traceparent, error);
}

static enum status decide_cancel(struct batch *batch, struct booking_command *command, struct entry *entry,
                                 struct error *error)
{
    struct booking_change change;
    if (booking_cancel(&entry->booking, command->caller, command->reason, &batch->at, &change,
                       &command->writer.outcome) != STATUS_OK)
        return STATUS_OK;
    /* Like the strings of a request, the reason is freed with its call. */
    entry->booking.status_reason = arena_strdup(&batch->arena, entry->booking.status_reason);
    if (entry->booking.status_reason == NULL)
        return error_no_memory(error);
    return append_event(batch, entry, change, command->traceparent, error);
}

static enum status decide_settle(struct batch *batch, struct booking_command *command, struct entry *entry,
                                 struct error *error)
{
    /* A place granted in another era may have been lost when a database reverted. */
    const struct event_era *era = event_log_era(batch->log);
    const bool fits = command->era == era->peer && (command->own_era == 0 || command->own_era == era->id);
    command->ask_again = command->outcome == PLACEMENT_GRANTED && !fits &&
                         entry->booking.status == SCREENING__V1__BOOKING_STATUS__REQUESTED;
    if (command->ask_again)
        return STATUS_OK;
    const struct deletion *deletion = map_get(&batch->deletions, &command->hospital_id);
    struct deletion_mark mark = {false, 0};
    if (entry->booking.status == SCREENING__V1__BOOKING_STATUS__REQUESTED)
        command->was_requested = true;
    else if (command->was_requested)
        return STATUS_OK; /* the batch is applied again, and the booking has changed since this settle */
    if (deletion != NULL)
        mark = (struct deletion_mark){true, deletion->row.day};
    struct booking_change change = booking_settle(&entry->booking, command->outcome, command->reason,
                                                  command->by_settler, &mark, &batch->at);
    return append_event(batch, entry, change, command->traceparent, error);
}

static enum status decide_force_cancel(struct batch *batch, struct booking_command *command,
                                       struct error *error)
{
    struct deletion *deletion = map_get(&batch->deletions, &command->hospital_id);
    command->finished = deletion == NULL || deletion->row.done;
    if (command->finished || deletion->chunk == NULL)
        return STATUS_OK;
    struct deletion_mark mark = {true, deletion->row.day};
    CHECK(deletion->chunk_count <= FORCE_CANCEL_CHUNK);
    for (size_t i = 0; i < deletion->chunk_count; i++) {
        struct entry *entry = map_get(&batch->bookings, &deletion->chunk[i]);
        struct booking_change change = booking_force_cancel(&entry->booking, &mark, &batch->at);
        TRY(append_event(batch, entry, change, command->traceparent, error));
        deletion->row.next_booking_id = deletion->chunk[i];
    }
    FAULT_POINT("force_cancel.chunk");
    CHECK(!deletion->row.done);
    deletion->row.done = deletion->chunk_count < FORCE_CANCEL_CHUNK;
    deletion->changed = true;
    deletion->chunk = NULL;
    command->finished = deletion->row.done;
    return STATUS_OK;
}

static enum status decide_events(struct batch *batch, struct db *db, struct event_chunk *chunk,
                                 struct error *error)
{
    size_t count = 0;
    TRY(event_chunk_begin(chunk, db, &count, error));
    Screening__V1__Event *const *events = event_chunk_events(chunk);
    for (size_t i = 0; i < count; i++) {
        struct hospital_deletion row;
        bool reacts;
        TRY(policy_hospital_event(events[i], &reacts, &row, error));
        if (!reacts || map_get(&batch->deletions, &row.hospital_id) != NULL)
            continue;
        if (batch_take_deletion(batch, &row) != STATUS_OK)
            return error_no_memory(error);
        ((struct deletion *)map_get(&batch->deletions, &row.hospital_id))->changed = true;
        batch->began_deletion = true;
    }
    return STATUS_OK;
}

static enum status decide(struct batch *batch, struct db *db, struct writer_command *writer_command,
                          struct error *error)
{
    if (writer_command->class == WRITER_EVENT)
        return decide_events(batch, db, container_of(writer_command, struct event_chunk, writer), error);
    struct booking_command *command = container_of(writer_command, struct booking_command, writer);
    command->booking = NULL;
    command->finished = false;
    command->ask_again = false;
    if (command->kind == COMMAND_PAIR || command->kind == COMMAND_LOOK)
        return STATUS_OK; /* see pair_first */
    if (command->kind == COMMAND_CREATE)
        return decide_create(batch, command, error);
    if (command->kind == COMMAND_ABANDON)
        return decide_abandon(batch, command, error);
    if (command->kind == COMMAND_FORCE_CANCEL)
        return decide_force_cancel(batch, command, error);
    struct entry *entry = map_get(&batch->bookings, &command->booking_id);
    if (entry == NULL) {
        (void)booking_not_found(&command->writer.outcome);
        return STATUS_OK;
    }
    command->booking = &entry->booking;
    CHECK(uuid_equal(&entry->booking.booking_id, &command->booking_id));
    switch (command->kind) {
    case COMMAND_CANCEL:
        return decide_cancel(batch, command, entry, error);
    case COMMAND_SETTLE:
        return decide_settle(batch, command, entry, error);
    case COMMAND_RESUME:
        return append_event(batch, entry, booking_resume(&entry->booking, &batch->at), command->traceparent,
                            error);
    case COMMAND_CREATE:
    case COMMAND_ABANDON:
    case COMMAND_FORCE_CANCEL:
    case COMMAND_PAIR:
    case COMMAND_LOOK:
    default:
        return error_set(error, STATUS_INTERNAL, NULL, "unknown command");
    }
}

/* ---- save ---- */

static enum status save_bookings(struct batch *batch, struct db *db, struct error *error)
{
    size_t room = batch->bookings.count + 1, inserts = 0, updates = 0, position = 0;
    struct booking **inserted = arena_alloc(&batch->arena, room * sizeof(struct booking *));
    struct booking **updated = arena_alloc(&batch->arena, room * sizeof(struct booking *));
    if (inserted == NULL || updated == NULL)
        return error_no_memory(error);
    for (struct entry *entry; (entry = map_next(&batch->bookings, &position, NULL)) != NULL;)
        if (entry->is_new)
            inserted[inserts++] = &entry->booking;
        else if (entry->changed)
            updated[updates++] = &entry->booking;
    CHECK(inserts + updates < room);
    TRY(store_insert_bookings(db, inserted, inserts, error));
    return store_update_bookings(db, updated, updates, error);
}

static enum status save_deletions(struct batch *batch, struct db *db, struct error *error)
{
    size_t room = batch->deletions.count + 1, count = 0, position = 0;
    struct hospital_deletion **rows = arena_alloc(&batch->arena, room * sizeof(struct hospital_deletion *));
    if (rows == NULL)
        return error_no_memory(error);
    for (struct deletion *deletion; (deletion = map_next(&batch->deletions, &position, NULL)) != NULL;)
        if (deletion->changed)
            rows[count++] = &deletion->row;
    CHECK(count < room);
    return store_save_deletions(db, rows, count, error);
}

static enum status save(struct batch *batch, struct db *db, struct writer_command *const *commands,
                        size_t count, struct error *error)
{
    TRY(save_bookings(batch, db, error));
    TRY(save_deletions(batch, db, error));
    TRY(event_log_save(batch->log, db, error));
    for (size_t i = 0; i < count; i++)
        if (commands[i]->class == WRITER_EVENT)
            TRY(event_chunk_finish(container_of(commands[i], struct event_chunk, writer), db, error));
    return STATUS_OK;
}

/*
 * Executes the Pairs before all other commands of the batch, because a Pair must read only committed rows,
 * and settles are checked against the era that it sets.
 */
static enum status pair_first(struct batch *batch, struct db *db, struct writer_command *const *commands,
                              size_t count, struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        const struct booking_command *command = batch_booking_command(commands[i]);
        if (command != NULL && command->kind == COMMAND_PAIR)
            TRY(pairing_apply(container_of(commands[i], struct pairing, command.writer), batch->log, db,
                              error));
    }
    return STATUS_OK;
}

enum status batch_apply(void *context, struct db *db, struct writer_command *const *commands, size_t count,
                        struct error *error)
{
    struct batch *batch = context;
    arena_reset(&batch->arena);
    map_clear(&batch->bookings);
    map_clear(&batch->deletions);
    batch->began_deletion = false;
    batch->at.now_us = clock_now_us();
    batch->at.today = civil_day_at(batch->at.now_us);

    TRY(event_log_take_head(batch->log, db, error));
    TRY(pair_first(batch, db, commands, count, error));
    TRY(batch_load(batch, db, commands, count, error));
    for (size_t i = 0; i < count; i++)
        TRY(decide(batch, db, commands[i], error));
    return save(batch, db, commands, count, error);
}
