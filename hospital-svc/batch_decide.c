#include "batch_internal.h"
#include "command.h"
#include "wire.h"

#include <stdlib.h>

#include "base/check.h"

#include "screening/v1/words.h"

enum { RECOVERING_RETRY_MS = 100 };

static enum status append_event(struct batch *batch, const struct command *command, const char *type,
                                const struct uuid *hospital_id, const Screening__V1__Event *body,
                                struct error *error)
{
    return event_log_append(batch->log, type, hospital_id, batch->now_us, command->traceparent, body, error);
}

static enum status append_hospital(struct batch *batch, const struct command *command, const char *type,
                                   const struct hospital *hospital, Screening__V1__Hospital *message,
                                   struct error *error)
{
    Screening__V1__Event body = SCREENING__V1__EVENT__INIT;
    body.body_case = SCREENING__V1__EVENT__BODY_HOSPITAL;
    body.hospital = message;
    return append_event(batch, command, type, &hospital->id, &body, error);
}

static enum status append_day(struct batch *batch, const struct command *command,
                              Screening__V1__ScreeningDay *day, struct error *error)
{
    char id[UUID_TEXT_SIZE];
    const struct uuid *hospital_id = &command->wanted.capacity.hospital_id;
    Screening__V1__ScreeningDayChanged changed = SCREENING__V1__SCREENING_DAY_CHANGED__INIT;
    changed.hospital_id = uuid_format(hospital_id, id);
    changed.day = day;
    Screening__V1__Event body = SCREENING__V1__EVENT__INIT;
    body.body_case = SCREENING__V1__EVENT__BODY_DAY;
    body.day = &changed;
    return append_event(batch, command, SCREENING_EVENT_HOSPITAL_CAPACITY_SET, hospital_id, &body, error);
}

static int compare_dates(const void *a, const void *b)
{
    const struct screening_day *const *left = a;
    const struct screening_day *const *right = b;
    return ((*left)->date > (*right)->date) - ((*left)->date < (*right)->date);
}

/*
 * Adds the hospital's days from today on to `message`, in order of date. row->with_days is true, so the
 * working set contains all of these days. Returns false when out of memory.
 */
static bool add_days(struct batch *batch, const struct hospital_row *row, struct arena *arena,
                     Screening__V1__Hospital *message)
{
    struct wire_list days = {0};
    for (struct day_row *day = row->days; day != NULL; day = day->next_of_hospital)
        if (day->day.version > 0 && day->day.date >= batch->today && !wire_append(arena, &days, &day->day))
            return false;
    if (days.count > 0)
        qsort(days.items, days.count, sizeof *days.items, compare_dates);
    for (size_t i = 0; i < days.count; i++) {
        days.items[i] = wire_day(arena, days.items[i]);
        if (days.items[i] == NULL)
            return false;
    }
    wire_set_days(message, &days);
    return true;
}

/*
 * Copies the hospital's strings into the batch's arena. hospital_register leaves pointers to the command's
 * strings in the hospital, and the command may be freed before the answer of a later command is sent. Returns
 * false when out of memory.
 */
static bool keep_texts(struct batch *batch, struct hospital *hospital)
{
    hospital->name = arena_strdup(&batch->arena, hospital->name);
    hospital->address = arena_strdup(&batch->arena, hospital->address);
    return hospital->name != NULL && hospital->address != NULL;
}

static bool mark_registered(struct batch *batch, struct command *command)
{
    command->hospital->dirty = true;
    for (size_t i = 0; i < command->wanted.registration.day_count; i++)
        if (!working_set_capacity_changed(&batch->set, command->days[i], NULL))
            return false;
    return true;
}

static enum status decide_registration(struct batch *batch, struct command *command, struct error *error)
{
    const struct registration *wanted = &command->wanted.registration;
    struct hospital *hospital = &command->hospital->hospital;
    struct screening_day **days =
        arena_alloc(&batch->arena, wanted->day_count * sizeof(struct screening_day *));
    if (days == NULL)
        return error_no_memory(error);
    for (size_t i = 0; i < wanted->day_count; i++)
        days[i] = &command->days[i]->day;
    bool changed;
    if (hospital_register(hospital, days, wanted, batch->today, batch->now_us, &changed,
                          &command->writer.outcome) != STATUS_OK)
        return STATUS_OK;
    if (changed && !keep_texts(batch, hospital))
        return error_no_memory(error);
    Screening__V1__Hospital *answer = wire_hospital(command->arena, hospital);
    if (answer == NULL || !add_days(batch, command->hospital, command->arena, answer))
        return error_no_memory(error);
    command->answer = &answer->base;
    if (!changed)
        return STATUS_OK;
    if (!mark_registered(batch, command))
        return error_no_memory(error);
    return append_hospital(batch, command, SCREENING_EVENT_HOSPITAL_REGISTERED, hospital, answer, error);
}

/*
 * Answers a capacity change that an earlier attempt at the batch has already committed, together with its
 * event. The answer shows the day as that change left it, even if the day has changed again since. Only
 * `reserved` is current.
 */
static enum status answer_done_capacity(struct command *command, struct error *error)
{
    struct screening_day day = command->done;
    day.reserved = command->day->day.reserved;
    Screening__V1__ScreeningDay *answer = wire_day(command->arena, &day);
    if (answer == NULL)
        return error_no_memory(error);
    command->answer = &answer->base;
    return STATUS_OK;
}

static enum status decide_capacity(struct batch *batch, struct command *command, struct error *error)
{
    struct day_row *row = command->day;
    bool changed;
    if (command->is_done)
        return answer_done_capacity(command, error);
    if (hospital_set_capacity(&command->hospital->hospital, &row->day, &command->wanted.capacity,
                              batch->today, &changed, &command->writer.outcome) != STATUS_OK)
        return STATUS_OK;
    Screening__V1__ScreeningDay *answer = wire_day(command->arena, &row->day);
    if (answer == NULL)
        return error_no_memory(error);
    command->answer = &answer->base;
    if (!changed)
        return STATUS_OK;
    if (uuid_is_zero(&command->change_id))
        command->change_id = uuid_v7();
    if (!working_set_capacity_changed(&batch->set, row, &command->change_id))
        return error_no_memory(error);
    return append_day(batch, command, answer, error);
}

enum status batch_delete_hospital(struct batch *batch, const struct command *command,
                                  struct hospital_row *row, const ProtobufCMessage **answer,
                                  struct error *refusal, struct error *error)
{
    bool changed;
    if (hospital_delete(&row->hospital, &changed, refusal) != STATUS_OK)
        return STATUS_OK;
    Screening__V1__Hospital *message = wire_hospital(command->arena, &row->hospital);
    if (message == NULL)
        return error_no_memory(error);
    *answer = &message->base;
    if (!changed)
        return STATUS_OK;
    row->dirty = true;
    return append_hospital(batch, command, SCREENING_EVENT_HOSPITAL_DELETED, &row->hospital, message, error);
}

static void decide_reserve(struct batch *batch, struct reserve_item *item)
{
    item->remaining = 0;
    if (item->malformed) {
        item->outcome = RESERVE_MALFORMED;
        batch->tally.refused++;
        return;
    }
    item->outcome = hospital_reserve(&item->hospital->hospital, &item->day->day,
                                     &item->reservation->reservation, &item->wanted, batch->today);
    switch (item->outcome) {
    case RESERVE_GRANTED:
        item->day->dirty = true;
        item->reservation->dirty = true;
        batch->tally.granted++;
        item->remaining = screening_day_remaining(&item->day->day);
        break;
    case RESERVE_REPEATED:
        item->remaining = screening_day_remaining(&item->day->day);
        break;
    default:
        batch->tally.refused++;
        break;
    }
}

/*
 * Returns whether to refuse the Reserves of a command, because the era is not paired or the command names
 * other eras. Sets batch->eras_differ if the command names other eras.
 */
static bool is_recovering(struct batch *batch, const struct command *command)
{
    const struct event_era *era = event_log_era(batch->log);
    bool differ =
        (command->wanted.reserve.booking_era != 0 && command->wanted.reserve.booking_era != era->peer) ||
        (command->wanted.reserve.hospital_era != 0 && command->wanted.reserve.hospital_era != era->id);
    batch->eras_differ |= differ;
    return !era->paired || differ;
}

static void decide_reserves(struct batch *batch, struct command *command)
{
    const size_t count = command->wanted.reserve.count;
    if (is_recovering(batch, command)) {
        (void)error_set(&command->writer.outcome, STATUS_UNAVAILABLE, SCREENING_REASON_RECOVERING,
                        "hospital-svc is catching up with booking-svc; ask again");
        command->writer.outcome.retry_after_ms = RECOVERING_RETRY_MS;
        batch->tally.recovering += (int64_t)count;
        return;
    }
    command->wanted.reserve.era = event_log_era(batch->log)->id;
    for (size_t i = 0; i < count; i++)
        decide_reserve(batch, &command->wanted.reserve.items[i]);
}

/*
 * Makes the place of a confirmed booking live. A booking is confirmed only after its place was committed, so
 * a missing row proves that the database has reverted, except for a past day, whose row may have been purged.
 * A released row proves nothing, because a confirmation that precedes the release in the log may be applied
 * again.
 */
static enum status reinstate(struct batch *batch, const struct release *confirmed,
                             struct reservation_row *row, struct error *error)
{
    const struct reserve place = {.booking_id = confirmed->booking_id,
                                  .hospital_id = confirmed->hospital_id,
                                  .date = confirmed->date,
                                  .headcount = confirmed->confirmed};
    const bool lost = row->reservation.state == RESERVATION_NONE && place.date >= batch->today;
    struct day_row *day = working_set_day(&batch->set, &confirmed->hospital_id, confirmed->date);
    if (day == NULL)
        return error_no_memory(error);
    if (hospital_reinstate(&row->reservation, &day->day, &place) == REINSTATE_TAKEN) {
        row->dirty = true;
        day->dirty = true;
        batch->tally.reinstated++;
        batch->tally.lost += lost;
    }
    return STATUS_OK;
}

static enum status decide_release(struct batch *batch, const struct release *release,
                                  struct reservation_row *row, struct error *error)
{
    struct day_row *day = NULL;
    if (row->reservation.state == RESERVATION_LIVE) {
        day = working_set_day(&batch->set, &row->reservation.hospital_id, row->reservation.date);
        if (day == NULL)
            return error_no_memory(error);
        if (day->day.reserved < row->reservation.headcount)
            return error_set(error, STATUS_INTERNAL, NULL,
                             "the day has fewer places reserved than one of its reservations holds");
        day->dirty = true; /* hospital_release frees places on this day */
    }
    switch (hospital_release(&row->reservation, day != NULL ? &day->day : NULL, release)) {
    case RELEASE_FREED:
        row->dirty = true;
        batch->tally.released++;
        break;
    case RELEASE_TOMBSTONE:
        row->dirty = true;
        batch->tally.tombstones++;
        break;
    case RELEASE_NOTHING:
        break;
    }
    return STATUS_OK;
}

static enum status decide_chunk(struct batch *batch, const struct batch_chunk *chunk, struct error *error)
{
    for (size_t i = 0; i < chunk->count; i++) {
        const struct release *release = &chunk->releases[i];
        struct reservation_row *row = chunk->reservations[i];
        TRY(release->confirmed > 0 ? reinstate(batch, release, row, error)
                                   : decide_release(batch, release, row, error));
    }
    return STATUS_OK;
}

static enum status decide_command(struct batch *batch, struct command *command, struct error *error)
{
    switch (command->kind) {
    case COMMAND_REGISTER:
        return decide_registration(batch, command, error);
    case COMMAND_SET_CAPACITY:
        return decide_capacity(batch, command, error);
    case COMMAND_DELETE:
        return batch_delete_hospital(batch, command, command->hospital, &command->answer,
                                     &command->writer.outcome, error);
    case COMMAND_RESERVE:
        decide_reserves(batch, command);
        break;
    case COMMAND_LOOK:
    case COMMAND_PAIR:
        return batch_pair_decide(batch, command, error);
    case COMMAND_PURGE: /* nothing to decide; see purge in batch.c */
        break;
    }
    return STATUS_OK;
}

enum status batch_decide(struct batch *batch, struct writer_command *const *commands, size_t count,
                         struct error *error)
{
    const struct batch_chunk *chunk = batch->chunks;
    for (size_t i = 0; i < count; i++)
        if (commands[i]->class == WRITER_EVENT)
            TRY(decide_chunk(batch, chunk++, error));
        else
            TRY(decide_command(batch, container_of(commands[i], struct command, writer), error));
    CHECK(chunk == batch->chunks + batch->chunk_count); /* every chunk was decided once */
    return STATUS_OK;
}
