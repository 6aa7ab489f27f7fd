#include "batch.h"

#include "content.h"
#include "pairing.h"
#include "policy.h"
#include "store.h"
#include "wire.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/civil.h"
#include "base/clock.h"
#include "base/fault_point.h"
#include "base/map.h"
#include "events/subscriber.h"

/* A booking of the working set. */
struct entry {
    struct booking booking;
    bool is_new;
    bool changed;
};

/* A deleted hospital of the working set, and the chunk of its bookings that is being worked off. */
struct deletion {
    struct hospital_deletion row;
    bool changed;
    const struct uuid *chunk;
    size_t chunk_count;
};

struct batch {
    struct event_log *log;
    struct arena arena;   /* everything of the batch at hand */
    struct map bookings;  /* booking_id -> struct entry */
    struct map deletions; /* hospital_id -> struct deletion */
    struct moment at;
    bool began_deletion;
    bool hospital_unavailable;
};

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

static enum status no_memory(struct error *error)
{
    return error_set(error, STATUS_UNAVAILABLE, NULL, "out of memory");
}

static const struct booking_command *booking_command(const struct writer_command *command)
{
    return command->class == WRITER_EVENT ? NULL : (const struct booking_command *)command;
}

/* ---- load ---- */

static struct entry *add_entry(struct batch *batch, const struct booking *booking)
{
    struct entry *entry = arena_alloc(&batch->arena, sizeof *entry);
    if (entry == NULL || map_put(&batch->bookings, &booking->booking_id, entry) != STATUS_OK)
        return NULL;
    entry->booking = *booking;
    return entry;
}

static enum status take_booking(void *context, const struct booking *booking)
{
    struct batch *batch = context;
    if (map_get(&batch->bookings, &booking->booking_id) != NULL)
        return STATUS_OK;
    const struct booking *copy = store_copy_booking(&batch->arena, booking);
    if (copy == NULL || add_entry(batch, copy) == NULL)
        return STATUS_UNAVAILABLE;
    return STATUS_OK;
}

static enum status take_deletion(void *context, const struct hospital_deletion *row)
{
    struct batch *batch = context;
    struct deletion *deletion = arena_alloc(&batch->arena, sizeof *deletion);
    if (deletion == NULL || map_put(&batch->deletions, &row->hospital_id, deletion) != STATUS_OK)
        return STATUS_UNAVAILABLE;
    deletion->row = *row;
    return STATUS_OK;
}

/* A set of ids without repetition, to be loaded with one statement. */
struct id_set {
    struct map seen;
    struct uuid *ids;
    size_t count;
};

static enum status id_set_add(struct id_set *set, const struct uuid *id)
{
    if (map_get(&set->seen, id) != NULL)
        return STATUS_OK;
    set->ids[set->count] = *id;
    return map_put(&set->seen, id, &set->ids[set->count++]);
}

static enum status load_bookings(struct batch *batch, struct db *db, struct writer_command *const *commands,
                                 size_t count, struct error *error)
{
    struct id_set set = {.ids = arena_alloc(&batch->arena, count * sizeof(struct uuid))};
    if (set.ids == NULL)
        return no_memory(error);
    map_init(&set.seen, sizeof(struct uuid));
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        const struct booking_command *command = booking_command(commands[i]);
        if (command != NULL && command->kind <= COMMAND_MEET)
            status = id_set_add(&set, &command->booking_id);
    }
    map_fini(&set.seen);
    if (status != STATUS_OK)
        return no_memory(error);
    return store_load_bookings(db, set.ids, set.count, take_booking, batch, error);
}

/* Deletions matter to settles, to the job that works them off, and to the events that may begin one. */
static size_t deletions_of_interest(const struct writer_command *command)
{
    if (command->class == WRITER_EVENT)
        return ((const struct event_chunk *)command)->count;
    enum command_kind kind = ((const struct booking_command *)command)->kind;
    return kind == COMMAND_SETTLE || kind == COMMAND_FORCE_CANCEL ? 1 : 0;
}

static enum status add_chunk_hospitals(struct id_set *set, const struct event_chunk *chunk)
{
    for (size_t i = 0; i < chunk->count; i++) {
        struct hospital_deletion deletion;
        bool reacts;
        /* An event that can't be understood fails when it is decided on. */
        if (policy_hospital_event(chunk->events[i], &reacts, &deletion, NULL) == STATUS_OK && reacts &&
            id_set_add(set, &deletion.hospital_id) != STATUS_OK)
            return STATUS_UNAVAILABLE;
    }
    return STATUS_OK;
}

static enum status load_deletions(struct batch *batch, struct db *db, struct writer_command *const *commands,
                                  size_t count, struct error *error)
{
    size_t most = 0;
    for (size_t i = 0; i < count; i++)
        most += deletions_of_interest(commands[i]);
    if (most == 0)
        return STATUS_OK;
    struct id_set set = {.ids = arena_alloc(&batch->arena, most * sizeof(struct uuid))};
    if (set.ids == NULL)
        return no_memory(error);
    map_init(&set.seen, sizeof(struct uuid));
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        if (commands[i]->class == WRITER_EVENT)
            status = add_chunk_hospitals(&set, (const struct event_chunk *)commands[i]);
        else if (deletions_of_interest(commands[i]) > 0)
            status = id_set_add(&set, &booking_command(commands[i])->hospital_id);
    }
    map_fini(&set.seen);
    if (status != STATUS_OK)
        return no_memory(error);
    return store_load_deletions(db, set.ids, set.count, take_deletion, batch, error);
}

struct chunk_loader {
    struct batch *batch;
    struct uuid *ids;
    size_t count;
};

static enum status take_chunk_booking(void *context, const struct booking *booking)
{
    struct chunk_loader *loader = context;
    loader->ids[loader->count++] = booking->booking_id;
    return take_booking(loader->batch, booking);
}

static enum status load_force_cancel_chunk(struct batch *batch, struct db *db,
                                           const struct booking_command *command, struct error *error)
{
    struct deletion *deletion = map_get(&batch->deletions, &command->hospital_id);
    if (deletion == NULL || deletion->row.done || deletion->chunk != NULL)
        return STATUS_OK;
    struct chunk_loader loader = {
        .batch = batch,
        .ids = arena_alloc(&batch->arena, FORCE_CANCEL_CHUNK * sizeof(struct uuid)),
    };
    if (loader.ids == NULL)
        return no_memory(error);
    enum status status = store_list_live(db, &command->hospital_id, &deletion->row.next_booking_id,
                                         FORCE_CANCEL_CHUNK, take_chunk_booking, &loader, error);
    deletion->chunk = loader.ids;
    deletion->chunk_count = loader.count;
    return status;
}

static enum status load(struct batch *batch, struct db *db, struct writer_command *const *commands,
                        size_t count, struct error *error)
{
    enum status status = load_bookings(batch, db, commands, count, error);
    if (status == STATUS_OK)
        status = load_deletions(batch, db, commands, count, error);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        const struct booking_command *command = booking_command(commands[i]);
        if (command != NULL && command->kind == COMMAND_FORCE_CANCEL)
            status = load_force_cancel_chunk(batch, db, command, error);
    }
    return status;
}

/* ---- decide ---- */

static enum status tell(struct batch *batch, struct entry *entry, struct booking_change change,
                        const char *traceparent, struct error *error)
{
    if (change.event_type == NULL)
        return STATUS_OK;
    entry->changed = true;
    struct booking_wire wire;
    Screening__V1__Event body = SCREENING__V1__EVENT__INIT;
    body.body_case = SCREENING__V1__EVENT__BODY_BOOKING;
    body.booking = (Screening__V1__Booking *)booking_wire_fill(&wire, &entry->booking);
    return event_log_append(batch->log, change.event_type, batch->at.now_us, traceparent, &body, error);
}

/* No place can have been taken, so that it does not matter here whether the hospital has been deleted. */
static enum status settle_unasked(struct batch *batch, const struct booking_command *command,
                                  struct entry *entry, struct error *error)
{
    const struct deletion_mark unmarked = {false, 0};
    struct booking_change change =
        booking_settle(&entry->booking, RESERVE_UNKNOWN, "", false, &unmarked, &batch->at);
    return tell(batch, entry, change, command->traceparent, error);
}

static enum status decide_create(struct batch *batch, struct booking_command *command, struct error *error)
{
    struct entry *entry = map_get(&batch->bookings, &command->booking_id);
    struct booking created, tidy;
    const struct booking *existing =
        entry != NULL ? content_as_kept_now(&entry->booking, command->request, &batch->arena, &tidy) : NULL;
    if (booking_create(existing, command->request, &batch->at, &created, &command->writer.outcome) !=
        STATUS_OK)
        return STATUS_OK;
    if (entry != NULL) {
        command->booking = &entry->booking;
        return STATUS_OK;
    }
    /* The request's texts go with its call, which may be answered before others of the same booking. */
    const struct booking *copy = store_copy_booking(&batch->arena, &created);
    entry = copy != NULL ? add_entry(batch, copy) : NULL;
    if (entry == NULL)
        return no_memory(error);
    entry->is_new = true;
    command->booking = &entry->booking;
    return batch->hospital_unavailable ? settle_unasked(batch, command, entry, error) : STATUS_OK;
}

static enum status decide_cancel(struct batch *batch, struct booking_command *command, struct entry *entry,
                                 struct error *error)
{
    struct booking_change change;
    if (booking_cancel(&entry->booking, command->reason, &batch->at, &change, &command->writer.outcome) !=
        STATUS_OK)
        return STATUS_OK;
    /* Like the texts of a request, the reason goes with its call. */
    entry->booking.status_reason = arena_strdup(&batch->arena, entry->booking.status_reason);
    if (entry->booking.status_reason == NULL)
        return no_memory(error);
    return tell(batch, entry, change, command->traceparent, error);
}

static enum status decide_settle(struct batch *batch, struct booking_command *command, struct entry *entry,
                                 struct error *error)
{
    /* A place that was granted in another era may have been lost with the tail of the database. */
    command->ask_again = command->outcome == RESERVE_GRANTED &&
                         command->era != event_log_era(batch->log)->peer &&
                         entry->booking.status == BOOKING_REQUESTED;
    if (command->ask_again)
        return STATUS_OK;
    const struct deletion *deletion = map_get(&batch->deletions, &command->hospital_id);
    struct deletion_mark mark = {false, 0};
    if (entry->booking.status == BOOKING_REQUESTED)
        command->was_requested = true;
    else if (command->was_requested)
        return STATUS_OK; /* applied again: it settled the booking, which has gone on since */
    if (deletion != NULL)
        mark = (struct deletion_mark){true, deletion->row.day};
    struct booking_change change = booking_settle(&entry->booking, command->outcome, command->reason,
                                                  command->by_settler, &mark, &batch->at);
    return tell(batch, entry, change, command->traceparent, error);
}

static enum status decide_force_cancel(struct batch *batch, struct booking_command *command,
                                       struct error *error)
{
    struct deletion *deletion = map_get(&batch->deletions, &command->hospital_id);
    command->finished = deletion == NULL || deletion->row.done;
    if (command->finished || deletion->chunk == NULL)
        return STATUS_OK;
    struct deletion_mark mark = {true, deletion->row.day};
    for (size_t i = 0; i < deletion->chunk_count; i++) {
        struct entry *entry = map_get(&batch->bookings, &deletion->chunk[i]);
        struct booking_change change = booking_force_cancel(&entry->booking, &mark, &batch->at);
        enum status status = tell(batch, entry, change, command->traceparent, error);
        if (status != STATUS_OK)
            return status;
        deletion->row.next_booking_id = deletion->chunk[i];
    }
    FAULT_POINT("booking.force_cancel.chunk");
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
    enum status status = event_chunk_begin(chunk, db, &count, error);
    Screening__V1__Event *const *events = event_chunk_events(chunk);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        struct hospital_deletion row;
        bool reacts;
        status = policy_hospital_event(events[i], &reacts, &row, error);
        if (status != STATUS_OK || !reacts || map_get(&batch->deletions, &row.hospital_id) != NULL)
            continue;
        if (take_deletion(batch, &row) != STATUS_OK)
            return no_memory(error);
        ((struct deletion *)map_get(&batch->deletions, &row.hospital_id))->changed = true;
        batch->began_deletion = true;
    }
    return status;
}

static enum status decide(struct batch *batch, struct db *db, struct writer_command *writer_command,
                          struct error *error)
{
    if (writer_command->class == WRITER_EVENT)
        return decide_events(batch, db, (struct event_chunk *)writer_command, error);
    struct booking_command *command = (struct booking_command *)writer_command;
    command->booking = NULL;
    command->finished = false;
    command->ask_again = false;
    if (command->kind == COMMAND_PAIR || command->kind == COMMAND_LOOK)
        return STATUS_OK; /* see pair_first */
    if (command->kind == COMMAND_CREATE)
        return decide_create(batch, command, error);
    if (command->kind == COMMAND_FORCE_CANCEL)
        return decide_force_cancel(batch, command, error);
    struct entry *entry = map_get(&batch->bookings, &command->booking_id);
    if (entry == NULL) {
        error_set(&command->writer.outcome, STATUS_NOT_FOUND, NULL, "booking_id: there is no such booking");
        return STATUS_OK;
    }
    command->booking = &entry->booking;
    switch (command->kind) {
    case COMMAND_CANCEL:
        return decide_cancel(batch, command, entry, error);
    case COMMAND_SETTLE:
        return decide_settle(batch, command, entry, error);
    case COMMAND_MEET:
        return tell(batch, entry, booking_meet(&entry->booking, &batch->at), command->traceparent, error);
    case COMMAND_CREATE:
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
        return no_memory(error);
    for (struct entry *entry; (entry = map_next(&batch->bookings, &position, NULL)) != NULL;) {
        if (entry->is_new)
            inserted[inserts++] = &entry->booking;
        else if (entry->changed)
            updated[updates++] = &entry->booking;
    }
    enum status status = store_insert_bookings(db, inserted, inserts, error);
    if (status == STATUS_OK)
        status = store_update_bookings(db, updated, updates, error);
    return status;
}

static enum status save_deletions(struct batch *batch, struct db *db, struct error *error)
{
    size_t room = batch->deletions.count + 1, count = 0, position = 0;
    struct hospital_deletion **rows = arena_alloc(&batch->arena, room * sizeof(struct hospital_deletion *));
    if (rows == NULL)
        return no_memory(error);
    for (struct deletion *deletion; (deletion = map_next(&batch->deletions, &position, NULL)) != NULL;)
        if (deletion->changed)
            rows[count++] = &deletion->row;
    return store_save_deletions(db, rows, count, error);
}

static enum status save(struct batch *batch, struct db *db, struct writer_command *const *commands,
                        size_t count, struct error *error)
{
    enum status status = save_bookings(batch, db, error);
    if (status == STATUS_OK)
        status = save_deletions(batch, db, error);
    if (status == STATUS_OK)
        status = event_log_save(batch->log, db, error);
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        if (commands[i]->class == WRITER_EVENT)
            status = event_chunk_finish((struct event_chunk *)commands[i], db, error);
    return status;
}

/* Before everything else: what they read has been committed, and what is settled is judged by what they say.
 */
static enum status pair_first(struct batch *batch, struct db *db, struct writer_command *const *commands,
                              size_t count, struct error *error)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        const struct booking_command *command = booking_command(commands[i]);
        if (command != NULL && command->kind == COMMAND_PAIR)
            status = pairing_apply((struct pairing *)commands[i], batch->log, db, error);
    }
    return status;
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

    enum status status = event_log_take_head(batch->log, db, error);
    if (status == STATUS_OK)
        status = pair_first(batch, db, commands, count, error);
    if (status == STATUS_OK)
        status = load(batch, db, commands, count, error);
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        status = decide(batch, db, commands[i], error);
    if (status == STATUS_OK)
        status = save(batch, db, commands, count, error);
    return status;
}
