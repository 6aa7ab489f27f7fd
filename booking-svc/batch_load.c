#include "batch_internal.h"
#include "policy.h"

#include "base/check.h"
#include "events/follower.h"

const struct booking_command *batch_booking_command(const struct writer_command *command)
{
    return command->class == WRITER_EVENT ? NULL
                                          : container_of(command, const struct booking_command, writer);
}

struct entry *batch_add_entry(struct batch *batch, const struct booking *booking)
{
    struct entry *entry = arena_alloc(&batch->arena, sizeof *entry);
    CHECK(map_get(&batch->bookings, &booking->booking_id) == NULL);
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
    if (copy == NULL || batch_add_entry(batch, copy) == NULL)
        return STATUS_RESOURCE_EXHAUSTED;
    return STATUS_OK;
}

enum status batch_take_deletion(struct batch *batch, const struct hospital_deletion *row)
{
    struct deletion *deletion = arena_alloc(&batch->arena, sizeof *deletion);
    if (deletion == NULL || map_put(&batch->deletions, &row->hospital_id, deletion) != STATUS_OK)
        return STATUS_RESOURCE_EXHAUSTED;
    deletion->row = *row;
    return STATUS_OK;
}

static enum status take_deletion(void *context, const struct hospital_deletion *row)
{
    return batch_take_deletion(context, row);
}

/* A set of distinct ids, whose rows are loaded by one statement. */
struct id_set {
    struct map seen;
    struct uuid *ids; /* room for all ids */
    size_t count, room;
};

static enum status id_set_add(struct id_set *set, const struct uuid *id)
{
    if (map_get(&set->seen, id) != NULL)
        return STATUS_OK;
    CHECK(set->seen.count == set->count && set->count < set->room);
    set->ids[set->count] = *id;
    return map_put(&set->seen, id, &set->ids[set->count++]);
}

static enum status load_bookings(struct batch *batch, struct db *db, struct writer_command *const *commands,
                                 size_t count, struct error *error)
{
    struct id_set set = {.ids = arena_alloc(&batch->arena, count * sizeof(struct uuid)), .room = count};
    if (set.ids == NULL)
        return error_no_memory(error);
    map_init(&set.seen, sizeof(struct uuid));
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        const struct booking_command *command = batch_booking_command(commands[i]);
        if (command != NULL && command->kind <= COMMAND_ABANDON)
            status = id_set_add(&set, &command->booking_id);
    }
    map_fini(&set.seen);
    if (status != STATUS_OK)
        return error_no_memory(error);
    return store_load_bookings(db, set.ids, set.count, take_booking, batch, error);
}

/*
 * Returns the maximum number of deletions that a command may need: one for a settle, for a
 * force-cancellation, or for each event of a chunk.
 */
static size_t deletions_of_interest(const struct writer_command *command)
{
    if (command->class == WRITER_EVENT)
        return container_of(command, const struct event_chunk, writer)->count;
    enum command_kind kind = container_of(command, const struct booking_command, writer)->kind;
    return kind == COMMAND_SETTLE || kind == COMMAND_FORCE_CANCEL ? 1 : 0;
}

static enum status add_chunk_hospitals(struct id_set *set, const struct event_chunk *chunk)
{
    for (size_t i = 0; i < chunk->count; i++) {
        struct hospital_deletion deletion;
        bool reacts;
        /* A malformed event fails later, in decide_events. */
        if (policy_hospital_event(chunk->events[i], &reacts, &deletion, NULL) == STATUS_OK && reacts &&
            id_set_add(set, &deletion.hospital_id) != STATUS_OK)
            return STATUS_RESOURCE_EXHAUSTED;
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
    struct id_set set = {.ids = arena_alloc(&batch->arena, most * sizeof(struct uuid)), .room = most};
    if (set.ids == NULL)
        return error_no_memory(error);
    map_init(&set.seen, sizeof(struct uuid));
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        if (commands[i]->class == WRITER_EVENT)
            status = add_chunk_hospitals(&set, container_of(commands[i], const struct event_chunk, writer));
        else if (deletions_of_interest(commands[i]) > 0)
            status = id_set_add(&set, &batch_booking_command(commands[i])->hospital_id);
    map_fini(&set.seen);
    if (status != STATUS_OK)
        return error_no_memory(error);
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
        return error_no_memory(error);
    TRY(store_list_live(db, &command->hospital_id, &deletion->row.next_booking_id, FORCE_CANCEL_CHUNK,
                        take_chunk_booking, &loader, error));
    deletion->chunk = loader.ids;
    deletion->chunk_count = loader.count;
    return STATUS_OK;
}

enum status batch_load(struct batch *batch, struct db *db, struct writer_command *const *commands,
                       size_t count, struct error *error)
{
    TRY(load_bookings(batch, db, commands, count, error));
    TRY(load_deletions(batch, db, commands, count, error));
    for (size_t i = 0; i < count; i++) {
        const struct booking_command *command = batch_booking_command(commands[i]);
        if (command != NULL && command->kind == COMMAND_FORCE_CANCEL)
            TRY(load_force_cancel_chunk(batch, db, command, error));
    }
    return STATUS_OK;
}
