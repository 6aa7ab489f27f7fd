#include "batch_pair.h"

#include "batch_internal.h"
#include "command.h"
#include "settings.h"
#include "wire.h"

#include "base/check.h"
#include "events/event_store.h"

#include "screening/v1/words.h"

/* ---- COMMAND_LOOK ---- */

/* Sets look->since, which stays zero if the era is paired. */
static enum status read_since(struct batch *batch, struct db *db, uint64_t since_seq, struct pair_look *look,
                              struct error *error)
{
    if (event_log_era(batch->log)->paired)
        return STATUS_OK;
    struct event_position position;
    TRY(event_store_read_position(db, since_seq, &position, error));
    look->since = (struct event_cursor){.seq = since_seq, .event_id = position.event_id};
    return STATUS_OK;
}

static enum status look(struct batch *batch, struct db *db, struct pair_look *look, struct error *error)
{
    struct era_details details = {0};
    if (look->forget_booking_log) {
        TRY(event_log_forget(db, SCREENING_LOG_BOOKING, NULL, error));
        event_log_era(batch->log)->paired = false;
    }
    TRY(era_read_details(db, &details, error));
    TRY(read_since(batch, db, details.since_seq, look, error));
    TRY(event_cursor_read(db, SCREENING_LOG_BOOKING, &look->applied, error));
    TRY(store_read_recovery(db, &look->recovery, error));
    if (look->applied.seq == 0 && !look->forget_booking_log)
        look->applied.log_id = details.peer_log_id;
    look->era = *event_log_era(batch->log);
    look->log_id = event_log_id(batch->log);
    return STATUS_OK;
}

/* ---- COMMAND_PAIR ---- */

/* Sets *lost to whether the hospital log lacks the event at `told`. Seq 0 is never lost. */
static enum status look_for(struct db *db, const struct event_cursor *told, bool *lost, struct error *error)
{
    struct event_position position;
    TRY(event_store_read_position(db, told->seq, &position, error));
    *lost = told->seq > 0 && !uuid_equal(&position.event_id, &told->event_id);
    return STATUS_OK;
}

static enum status collect_pair(struct batch *batch, struct db *db, struct command *command,
                                struct error *error)
{
    struct pair_done *done = command->wanted.pair;
    done->from_start = false;
    TRY(event_cursor_read(db, SCREENING_LOG_BOOKING, &done->applied, error));
    TRY(era_read_details(db, &done->details, error));
    TRY(look_for(db, &done->furthest, &done->lost, error));
    if (!done->set_back)
        TRY(look_for(db, &done->told, &done->from_start, error));
    bool room = true;
    for (size_t i = 0; i < done->requested_count && room; i++) {
        const struct reserve *wanted = &done->requested[i];
        room = working_set_day(&batch->set, &wanted->hospital_id, wanted->date) != NULL &&
               working_set_reservation(&batch->set, &wanted->booking_id) != NULL;
    }
    for (size_t i = 0; i < done->deleted_count && room; i++)
        room = working_set_hospital(&batch->set, &done->deleted[i]) != NULL;
    return room ? STATUS_OK : error_no_memory(error);
}

enum status batch_pair_collect(struct batch *batch, struct db *db, struct command *command,
                               struct error *error)
{
    return command->kind == COMMAND_LOOK ? look(batch, db, command->wanted.look, error)
                                         : collect_pair(batch, db, command, error);
}

/*
 * Reserves places for the requested bookings, where hospital_reserve allows this. No other Reserve is granted
 * until the era is paired, so these bookings come first.
 */
static void grant_requested(struct batch *batch, struct pair_done *done)
{
    for (size_t i = 0; i < done->requested_count; i++) {
        const struct reserve *wanted = &done->requested[i];
        struct hospital_row *hospital = working_set_hospital(&batch->set, &wanted->hospital_id);
        struct day_row *day = working_set_day(&batch->set, &wanted->hospital_id, wanted->date);
        struct reservation_row *row = working_set_reservation(&batch->set, &wanted->booking_id);
        if (hospital_reserve(&hospital->hospital, &day->day, &row->reservation, wanted, batch->today) ==
            RESERVE_GRANTED) {
            day->dirty = true;
            row->dirty = true;
            done->granted++;
        }
    }
    CHECK(done->granted <= done->requested_count);
    batch->tally.granted += (int64_t)done->granted;
}

/*
 * Repeats lost deletions of hospitals. Runs after the grants, so that a booking whose client has received
 * CONFIRMED becomes FORCE_CANCELLED, not REJECTED.
 */
static enum status delete_again(struct batch *batch, struct command *command, struct error *error)
{
    struct pair_done *done = command->wanted.pair;
    for (size_t i = 0; i < done->deleted_count; i++) {
        struct hospital_row *row = working_set_hospital(&batch->set, &done->deleted[i]);
        if (row->hospital.state == HOSPITAL_ACTIVE) {
            const ProtobufCMessage *answer;
            TRY(batch_delete_hospital(batch, command, row, &answer, &command->writer.outcome, error));
            done->deleted_again++;
        }
    }
    return STATUS_OK;
}

/*
 * Returns whether booking-svc's answer shows that its log contains the event at done->applied, regardless of
 * eras.
 */
static bool is_known(const struct pair_done *done)
{
    const struct event_cursor *applied = &done->applied;
    return event_cursor_equal(applied, &done->checked) ||
           (applied->seq > 0 && applied->seq == done->head_seq &&
            uuid_equal(&applied->event_id, &done->head_event_id));
}

/*
 * Returns whether the event at which this batch leaves the cursor is in the booking log of booking-svc's era.
 * An event that was applied by this batch, or since the call to booking-svc, may already be lost. Only its
 * era proves that it is still in the log. A booking-svc that is too old to report its era is trusted.
 */
static bool is_in_log(const struct batch *batch, const struct pair_done *done)
{
    int64_t era = done->applied.era;
    bool moved = !is_known(done);
    for (size_t i = 0; i < batch->chunk_count; i++) {
        if (event_chunk_moves_cursor(batch->chunks[i].chunk)) {
            era = batch->chunks[i].chunk->era;
            moved = true;
        }
    }
    return !moved || era == done->booking_era || era == 0;
}

static bool is_followed(const struct batch *batch, const struct pair_done *done)
{
    if (done->head_seq > 0 &&
        (!uuid_equal(&done->applied.log_id, &done->booking_log_id) || done->applied.seq < done->head_seq))
        return false;
    return is_in_log(batch, done);
}

static enum status decide_pair(struct batch *batch, struct command *command, struct error *error)
{
    struct pair_done *done = command->wanted.pair;
    struct event_era *era = event_log_era(batch->log);
    done->granted = done->deleted_again = 0;
    if (era->id != done->era) {
        (void)error_set(&command->writer.outcome, STATUS_ABORTED, NULL, "another era has begun");
        return STATUS_OK;
    }
    if (era->peer != done->peer && era->peer != done->booking_era) {
        (void)error_set(&command->writer.outcome, STATUS_ABORTED, NULL,
                        "another replica has paired with another era of booking-svc");
        return STATUS_OK;
    }
    if (!is_followed(batch, done)) {
        (void)error_set(&command->writer.outcome, STATUS_UNAVAILABLE, NULL,
                        "the booking log is not applied yet");
        return STATUS_OK;
    }
    if (done->from_start) {
        (void)error_set(&command->writer.outcome, STATUS_ABORTED, NULL,
                        "booking-svc has applied an event that is not in the hospital log");
        return STATUS_OK;
    }
    if (!era->paired)
        grant_requested(batch, done);
    TRY(delete_again(batch, command, error));
    CHECK(batch->pair == NULL); /* the pairing thread submits one command at a time */
    era->paired = true;
    era->peer = done->booking_era;
    batch->pair = done;
    return STATUS_OK;
}

enum status batch_pair_decide(struct batch *batch, struct command *command, struct error *error)
{
    return command->kind == COMMAND_LOOK ? STATUS_OK : decide_pair(batch, command, error);
}

enum status batch_pair_save(struct batch *batch, struct db *db, struct error *error)
{
    if (batch->tally.lost > 0)
        TRY(store_add_reinstated(db, batch->tally.lost, error));
    const struct pair_done *done = batch->pair;
    if (done == NULL)
        return STATUS_OK;
    CHECK(event_log_era(batch->log)->paired);
    if (done->lost && done->furthest.seq > done->details.since_seq)
        TRY(store_add_lost(db, done->details.since_seq + 1, done->furthest.seq, error));
    TRY(era_pair(db, event_log_era(batch->log), done->booking_era, &done->booking_log_id, error));
    return event_cursor_enter_era(db, SCREENING_LOG_BOOKING, &done->booking_log_id, done->booking_era, error);
}
