#include "batch_internal.h"
#include "command.h"
#include "policy.h"
#include "store.h"

#include "base/check.h"

static bool collect_registration(struct batch *batch, struct command *command)
{
    const struct registration *wanted = &command->wanted.registration;
    command->hospital = working_set_hospital(&batch->set, &wanted->hospital_id);
    command->days = arena_alloc(&batch->arena, wanted->day_count * sizeof(struct day_row *));
    if (command->hospital == NULL || command->days == NULL)
        return false;
    command->hospital->with_days = true;
    for (size_t i = 0; i < wanted->day_count; i++) {
        command->days[i] = working_set_day(&batch->set, &wanted->hospital_id, wanted->days[i].date);
        if (command->days[i] == NULL)
            return false;
    }
    return true;
}

static bool collect_reserves(struct batch *batch, struct command *command)
{
    for (size_t i = 0; i < command->wanted.reserve.count; i++) {
        struct reserve_item *item = &command->wanted.reserve.items[i];
        if (item->malformed)
            continue;
        item->hospital = working_set_hospital(&batch->set, &item->wanted.hospital_id);
        item->day = working_set_day(&batch->set, &item->wanted.hospital_id, item->wanted.date);
        item->reservation = working_set_reservation(&batch->set, &item->wanted.booking_id);
        if (item->hospital == NULL || item->day == NULL || item->reservation == NULL)
            return false;
    }
    return true;
}

static bool collect_command(struct batch *batch, struct command *command)
{
    switch (command->kind) {
    case COMMAND_REGISTER:
        return collect_registration(batch, command);
    case COMMAND_SET_CAPACITY: {
        const struct capacity_wanted *wanted = &command->wanted.capacity;
        command->hospital = working_set_hospital(&batch->set, &wanted->hospital_id);
        command->day = working_set_day(&batch->set, &wanted->hospital_id, wanted->date);
        return command->hospital != NULL && command->day != NULL;
    }
    case COMMAND_DELETE:
        command->hospital = working_set_hospital(&batch->set, &command->wanted.hospital_id);
        return command->hospital != NULL;
    case COMMAND_RESERVE:
        return collect_reserves(batch, command);
    case COMMAND_PURGE:
    case COMMAND_LOOK: /* see batch_pair.c */
    case COMMAND_PAIR:
        break;
    }
    return true;
}

/*
 * Adds the rows that a chunk needs to the working set. A malformed event fails the batch. The event becomes a
 * dead letter if it fails again in a batch of its own.
 */
static enum status collect_chunk(struct batch *batch, struct db *db, struct event_chunk *chunk,
                                 struct error *error)
{
    struct batch_chunk *work = &batch->chunks[batch->chunk_count++];
    size_t count = 0;
    CHECK(work->chunk == NULL);
    work->chunk = chunk;
    TRY(event_chunk_begin(chunk, db, &count, error));
    if (count == 0)
        return STATUS_OK;
    /* A replayed dead letter is out of order, and only releases may be applied out of order. */
    bool catching_up = !event_log_era(batch->log)->paired && !chunk->replay;
    work->releases = arena_alloc(&batch->arena, count * sizeof *work->releases);
    work->reservations = arena_alloc(&batch->arena, count * sizeof(struct reservation_row *));
    if (work->releases == NULL || work->reservations == NULL)
        return error_no_memory(error);
    enum status status =
        policy_releases(event_chunk_events(chunk), count, catching_up, work->releases, &work->count, error);
    CHECK(work->count <= count);
    for (size_t i = 0; i < work->count; i++) {
        work->reservations[i] = working_set_reservation(&batch->set, &work->releases[i].booking_id);
        const struct release *release = &work->releases[i];
        if (work->reservations[i] == NULL ||
            (release->confirmed > 0 &&
             working_set_day(&batch->set, &release->hospital_id, release->date) == NULL))
            return error_no_memory(error);
    }
    return status;
}

static bool is_pairing(const struct command *command)
{
    return command->kind == COMMAND_LOOK || command->kind == COMMAND_PAIR;
}

enum status batch_collect(struct batch *batch, struct db *db, struct writer_command *const *commands,
                          size_t count, struct error *error)
{
    batch->chunks = arena_alloc(&batch->arena, count * sizeof *batch->chunks);
    if (batch->chunks == NULL)
        return error_no_memory(error);
    for (size_t i = 0; i < count; i++)
        if (commands[i]->class == WRITER_EVENT)
            TRY(collect_chunk(batch, db, container_of(commands[i], struct event_chunk, writer), error));
        else if (is_pairing(container_of(commands[i], struct command, writer)))
            TRY(batch_pair_collect(batch, db, container_of(commands[i], struct command, writer), error));
        else if (!collect_command(batch, container_of(commands[i], struct command, writer)))
            return error_no_memory(error);
    return STATUS_OK;
}

/*
 * Adds the days of the released reservations to the working set. A release frees places on the day of the
 * stored reservation, not on the day named in the event. Returns false when out of memory.
 */
static bool collect_released_days(struct batch *batch)
{
    for (size_t c = 0; c < batch->chunk_count; c++) {
        for (size_t i = 0; i < batch->chunks[c].count; i++) {
            const struct reservation *reservation = &batch->chunks[c].reservations[i]->reservation;
            if (reservation->state == RESERVATION_LIVE &&
                working_set_day(&batch->set, &reservation->hospital_id, reservation->date) == NULL)
                return false;
        }
    }
    return true;
}

/*
 * Looks up the capacity changes that were already committed. If the result of a COMMIT was lost, a command
 * that is decided again may already have committed its change. A second decision could refuse the command or
 * undo a later change.
 */
static enum status find_done_capacities(struct db *db, struct writer_command *const *commands, size_t count,
                                        struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        struct command *command = container_of(commands[i], struct command, writer);
        if (commands[i]->class == WRITER_EVENT || command->kind != COMMAND_SET_CAPACITY)
            continue;
        command->is_done = false;
        if (!uuid_is_zero(&command->change_id)) {
            command->done = (struct screening_day){.hospital_id = command->wanted.capacity.hospital_id,
                                                   .date = command->wanted.capacity.date};
            TRY(store_find_capacity_change(db, &command->change_id, &command->done, &command->is_done,
                                           error));
        }
    }
    return STATUS_OK;
}

enum status batch_load(struct batch *batch, struct db *db, struct writer_command *const *commands,
                       size_t count, struct error *error)
{
    TRY(store_load_reservations(db, batch->params, &batch->set, error));
    if (!collect_released_days(batch))
        return error_no_memory(error);
    TRY(store_load_hospitals(db, batch->params, &batch->set, error));
    TRY(store_load_days(db, batch->params, &batch->set, batch->today, error));
    return find_done_capacities(db, commands, count, error);
}
